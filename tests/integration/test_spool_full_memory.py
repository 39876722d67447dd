"""A spool whose memory is used up: 503, nothing acknowledged lost, and it mends itself."""

from pathlib import Path

import pytest

from tests.edge_processes import edge_processes, wait_for
from tests.spool_world import NOISY, QUIET, RECOVERS_WITHIN_S, SpoolWorld, Start

BOUND = 12_000_000


def metric(text: str, name: str) -> float:
    return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))


@pytest.mark.parametrize("may_configure", [True, False])
def test_a_full_spool_refuses_both_sites_and_no_number_is_used_up(
    redis_server: Start, tmp_path: Path, may_configure: bool
) -> None:
    primary, spool = redis_server(), redis_server()
    url = spool.url
    if not may_configure:
        with spool.client() as client:
            client.acl_setuser(
                "edge",
                True,
                passwords=["+pw"],
                keys=["*"],
                channels=["*"],
                categories=["+@all"],
                commands=["-config"],
            )
        url = f"redis://edge:pw@127.0.0.1:{spool.port}/0"
    state = tmp_path / "state"
    with edge_processes(primary.url, url, state, spool_max_bytes=str(BOUND)) as edge:
        edge.start_edge()
        world = SpoolWorld(primary, spool, edge)
        world.give_snapshot()
        drain = edge.start_drain()
        wait_for(lambda: edge.drain_readiness()["ready"])
        primary.kill()
        for site in (NOISY, QUIET):
            world.post_until_refused(site)

        def is_full() -> bool:
            # Between two looks a little room may show, as the memory of connections comes and goes.
            refused = world.post(QUIET).status == 503
            return refused and bool(edge.readiness()["stores_at"] == "nowhere")

        def shows_no_headroom() -> bool:
            world.post(QUIET)
            shown = edge.drain_metrics()
            bytes_left = metric(shown, "millrace_spool_headroom_bytes")
            return bytes_left == metric(shown, "millrace_spool_headroom_seconds") == 0

        wait_for(is_full)
        wait_for(shows_no_headroom)
        assert world.waiting() == len(world.acknowledged) > 0
        drain.terminate()
        drain.wait()
        world.drain_all()
        assert world.voids() == set()
        assert world.seconds_until_taken(QUIET) < RECOVERS_WITHIN_S


def test_a_redis_that_is_full_before_the_edge_thinks_so_loses_nothing(
    redis_server: Start, tmp_path: Path
) -> None:
    primary, spool = redis_server(), redis_server(max_bytes=6_000_000)
    with edge_processes(primary.url, spool.url, tmp_path / "state") as edge:
        edge.start_edge()
        world = SpoolWorld(primary, spool, edge)
        world.give_snapshot()
        primary.kill()
        world.post(NOISY)
        with spool.client() as client:
            client.config_set("maxmemory", 1)
            assert world.post_until_refused(NOISY).retry_after_s == 1
            client.config_set("maxmemory", 6_000_000)
        assert world.seconds_until_taken(NOISY) < RECOVERS_WITHIN_S
        world.drain_all()
