"""The whole product on this machine: started from the manifest, killed in parts, ended."""

import os
import select
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from infrastructure.cli import cli
from infrastructure.local.product import Product
from infrastructure.local.running import read_running
from infrastructure.local.server import SERVER_SETTINGS


def test_every_service_of_the_manifest_becomes_ready_and_ends_cleanly(millrace: Product) -> None:
    assert [service.name for service in millrace.services if not service.is_ready()] == []
    millrace.services.stop()
    assert {service.name: service.stop() for service in millrace.services} == dict.fromkeys(
        (service.name for service in millrace.services), 0
    )


def test_killing_the_edges_supervisor_leaves_no_worker_behind(millrace: Product) -> None:
    edge = millrace.services["edge"]
    workers = [os.pidfd_open(pid) for pid in _children(edge.pid)]
    assert workers
    os.kill(edge.pid, 9)
    for worker in workers:
        assert select.select([worker], [], [], 60)[0]
        os.close(worker)


def test_a_killed_service_is_started_again(millrace: Product) -> None:
    millrace.services["edge"].kill()
    assert [service.name for service in millrace.services.start_ended()] == ["edge"]
    millrace.services["edge"].wait_until_ready()


def test_up_status_and_down_work_from_nothing(
    scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILLRACE_STATE", str(scratch / "state"))
    for setting in SERVER_SETTINGS:
        monkeypatch.delenv(setting, raising=False)
    monkeypatch.setenv("MILLRACE_GEO_REFRESH", "false")
    monkeypatch.setenv("MILLRACE_GEO_DIR", str(scratch / "geo"))
    try:
        first = _run("up", "--free-ports")
        assert first.exit_code == 0, first.stderr
        deadline = time.monotonic() + 60
        while (shown := _run("status").output).count(" ready ") != 6:
            assert time.monotonic() < deadline, shown
        again = _run("up", "--free-ports")
        assert (again.exit_code, "up already" in again.stderr) == (1, True)
    finally:
        assert _run("down").exit_code == 0
    assert _run("status").exit_code == 1
    assert not [path for path in scratch.glob("state/*/up") if read_running(path)]


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
