"""What a real edge tells of the primary's clock, in its metrics and to its next start."""

import re
from pathlib import Path

from edge.clock.capture import steady_clock
from edge.clock.kept import KeptClock
from infrastructure.local.ports import free_ports
from shared.clock import system_clock
from tests.edge_processes import EdgeProcesses, edge_processes, wait_for


def _metric(edge: EdgeProcesses, name: str) -> float | None:
    found = re.search(rf"^millrace_edge_clock_{name} (\S+)$", edge.metrics(), re.MULTILINE)
    return None if found is None else float(found[1])


def test_every_worker_measures_the_primarys_clock_and_keeps_it_for_the_next(
    primary: str, spool: str, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    with edge_processes(primary, spool, state, edge_workers="2") as edge:
        edge.start_edge()
        wait_for(lambda: edge.readiness()["workers"] == 2)
        wait_for(lambda: _metric(edge, "known") == 1)
        # A first answer that was slow is made good by the next: it says little, or even ran ahead.
        wait_for(lambda: 0 < (_metric(edge, "error_seconds") or 0) < 0.6)
        wait_for(lambda: _metric(edge, "ahead_seconds") == 0)
    kept = KeptClock(state).read()
    assert kept is not None
    # Both servers are on this machine.
    assert abs(kept.anchor - (system_clock() - steady_clock())) <= kept.error_us + 1_000_000


def test_an_edge_that_never_reached_the_primary_says_that_its_time_is_its_own(
    spool: str, tmp_path: Path
) -> None:
    nowhere = f"redis://127.0.0.1:{free_ports(1)[0]}/0"
    with edge_processes(nowhere, spool, tmp_path / "state") as edge:
        edge.start_edge()
        wait_for(lambda: _metric(edge, "known") == 0)
        assert edge.post().status == 202
