"""A Redis that lets nobody see how it fsyncs, and does so once a second: used, and named."""

from collections.abc import Callable
from pathlib import Path

from edge.servers.proof_times import ProofTimes
from infrastructure.local.redis_server import RedisServer
from tests.edge_processes import edge_processes, wait_for

Start = Callable[..., RedisServer]
NAMED = "fsync is slow: everysec?"


def test_half_of_the_last_proofs_have_to_be_late() -> None:
    times = ProofTimes()
    times.add(1.0)
    times.add(1.0)
    assert not times.is_slow
    times.add(0.9)
    assert times.is_slow
    for _ in range(4):
        times.add(0.002)
    assert not times.is_slow


def test_late_proofs_are_named_and_nothing_is_refused(redis_server: Start, tmp_path: Path) -> None:
    primary, spool = redis_server(), redis_server()
    with primary.client() as client:
        client.execute_command(
            "ACL", "SETUSER", "edge", "reset", "on", ">pw", "~*", "&*", "+@all", "-config"
        )
        client.config_set("appendfsync", "everysec")
    url = f"redis://edge:pw@127.0.0.1:{primary.port}/0"
    with edge_processes(url, spool.url, tmp_path / "state") as edge:
        edge.start_edge()
        edge.start_drain()
        for _ in range(6):
            assert edge.post().status == 202
        named = {"primary": [NAMED]}
        wait_for(lambda: edge.readiness().get("weaker_promises") == named)
        wait_for(lambda: edge.drain_readiness().get("weaker_promises") == named)
        # A probe that waits in vain for the next fsync says no for a moment.
        wait_for(lambda: edge.drain_readiness()["primary_healthy"])
        assert edge.readiness()["stores_at"] == "primary"
        assert f'weak_promise{{server="primary",what="{NAMED}"}} 1.0' in edge.metrics()
        with primary.client() as client:
            client.config_set("appendfsync", "always")
        for _ in range(25):
            assert edge.post().status == 202
        wait_for(lambda: "weaker_promises" not in edge.readiness())
