"""No promise on paper: a Redis that may lose what it confirms, on real servers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from edge.servers.promise import names
from infrastructure.local.redis_server import RedisServer
from tests.edge_processes import edge_processes, wait_for
from tests.edge_under_test import EdgeUnderTest, edge_settings, running_edge, stored_batches

Start = Callable[..., RedisServer]
WEAK = [
    ("appendonly", "no", "appendonly no"),
    ("appendfsync", "everysec", "appendfsync everysec"),
    ("maxmemory-policy", "allkeys-lru", "maxmemory-policy evicts"),
]


def configure(server: RedisServer, **options: str) -> None:
    with server.client() as client:
        for name, value in options.items():
            client.config_set(name.replace("_", "-"), value)


def url_of_a_user(server: RedisServer, *rules: str) -> str:
    """Signed in as somebody who may do all but what the rules take away."""
    with server.client() as client:
        client.execute_command(
            "ACL", "SETUSER", "edge", "reset", "on", ">pw", "~*", "&*", "+@all", *rules
        )
    return f"redis://edge:pw@127.0.0.1:{server.port}/0"


def length(server: RedisServer) -> int:
    with server.client() as client:
        return int(client.xlen("ingest:test"))


@pytest.mark.anyio
@pytest.mark.parametrize(("option", "value", "what"), WEAK)
async def test_a_primary_that_may_lose_what_it_confirms_counts_as_away(
    redis_server: Start, tmp_path: Path, option: str, value: str, what: str
) -> None:
    primary, spool = redis_server(), redis_server()
    configure(primary, **{option: value})
    async with running_edge(edge_settings(primary.url, spool.url, tmp_path)) as edge:
        assert (await edge.post()).status == 202
        assert _named(edge) == [what]
    assert (length(primary), length(spool)) == (0, 1)


@pytest.mark.anyio
async def test_with_both_servers_weak_nothing_is_acknowledged(
    redis_server: Start, tmp_path: Path
) -> None:
    primary, spool = redis_server(), redis_server()
    configure(primary, appendfsync="everysec")
    configure(spool, maxmemory_policy="volatile-lru")
    async with running_edge(edge_settings(primary.url, spool.url, tmp_path)) as edge:
        answer = await edge.post()
        assert answer.status == 503
        assert int(answer.headers["retry-after"]) >= 1
        configure(spool, maxmemory_policy="noeviction")
        await edge.worker.router.check_spool()
        edge.worker.router._refuse_until = 0.0
        assert (await edge.post()).status == 202
    assert (length(primary), length(spool)) == (0, 1)


@pytest.mark.anyio
async def test_without_strict_mode_a_weak_primary_is_used_and_named(
    redis_server: Start, tmp_path: Path
) -> None:
    primary, spool = redis_server(), redis_server()
    configure(primary, appendfsync="everysec")
    settings = edge_settings(primary.url, spool.url, tmp_path, edge_strict=False)
    async with running_edge(settings) as edge:
        assert (await edge.post()).status == 202
        assert _named(edge) == ["appendfsync everysec"]
    assert (length(primary), length(spool)) == (1, 0)


@pytest.mark.anyio
async def test_where_config_is_forbidden_each_write_is_proven(
    redis_server: Start, tmp_path: Path
) -> None:
    primary, spool = redis_server(), redis_server()
    url = url_of_a_user(primary, "-config")
    async with running_edge(edge_settings(url, spool.url, tmp_path)) as edge:
        assert (await edge.post()).status == 202
        assert (length(primary), length(spool)) == (1, 0)
        with primary.client() as client:
            stats: Any = client.info("commandstats")
            assert stats["cmdstat_waitaof"]["calls"] == 1
        # Nobody asks again before the next beacon: its own WAITAOF has to tell.
        configure(primary, appendonly="no")
        assert (await edge.post()).status == 202
        assert edge.worker.router.breaker.is_open
    assert length(spool) == 1


@pytest.mark.anyio
async def test_a_server_that_lets_nobody_ask_anything_is_not_trusted(
    redis_server: Start, tmp_path: Path
) -> None:
    primary, spool = redis_server(), redis_server()
    url = url_of_a_user(primary, "-config", "-info")
    async with running_edge(edge_settings(url, spool.url, tmp_path)) as edge:
        assert (await edge.post()).status == 202
        assert _named(edge) == ["INFO forbidden"]
    assert (length(primary), length(spool)) == (0, 1)


@pytest.mark.anyio
async def test_a_stream_that_takes_no_more_ids_sends_beacons_to_the_spool(
    redis_server: Start, tmp_path: Path
) -> None:
    primary, spool = redis_server(), redis_server()
    greatest = f"{2**64 - 1}-{2**64 - 1}"
    with primary.client() as client:
        client.xadd("ingest:test", {"a": "b"}, id=greatest)
    async with running_edge(edge_settings(primary.url, spool.url, tmp_path)) as edge:
        assert (await edge.post()).status == 202
        assert edge.worker.router.breaker.is_open
    assert (length(primary), length(spool)) == (1, 1)


def test_what_is_changed_at_run_time_is_noticed_told_and_mended(
    redis_server: Start, tmp_path: Path
) -> None:
    primary, spool = redis_server(), redis_server()
    with edge_processes(primary.url, spool.url, tmp_path / "state") as edge:
        edge.start_both()
        assert "weaker_promises" not in edge.readiness()
        configure(primary, appendfsync="everysec")
        wait_for(lambda: edge.readiness()["stores_at"] == "spool")
        named = {"primary": ["appendfsync everysec"]}
        wait_for(lambda: edge.readiness().get("weaker_promises") == named)
        wait_for(lambda: edge.drain_readiness().get("weaker_promises") == named)
        assert edge.drain_readiness()["primary_healthy"] is False
        assert 'weak_promise{server="primary",what="appendfsync everysec"} 1.0' in edge.metrics()
        assert 'millrace_edge_failovers_total{reason="weak"} 1.0' in edge.metrics()
        for _ in range(3):
            assert edge.post().status == 202
        assert (length(primary), length(spool)) == (0, 3)
        configure(primary, appendfsync="always")
        wait_for(lambda: edge.readiness()["stores_at"] == "primary")
        wait_for(lambda: "weaker_promises" not in edge.readiness())
        wait_for(lambda: length(spool) == 0)
        assert edge.post().status == 202
        assert length(primary) == 4


def test_the_drain_proves_what_it_moves_where_config_is_forbidden(
    redis_server: Start, tmp_path: Path
) -> None:
    primary, spool = redis_server(), redis_server()
    url = url_of_a_user(primary, "-config")
    with edge_processes(url, spool.url, tmp_path / "state") as edge:
        primary.kill()
        edge.start_edge()
        receipts = [edge.post().receipt for _ in range(3)]
        primary.start()
        url_of_a_user(primary, "-config")
        edge.start_drain()
        wait_for(lambda: length(primary) == len(receipts) and length(spool) == 0)
    assert len(stored_batches(primary.url)) == len(receipts)
    with Redis.from_url(primary.url) as client:
        stats: Any = client.info("commandstats")
        assert stats["cmdstat_waitaof"]["calls"] > 0


def _named(edge: EdgeUnderTest) -> list[str]:
    return names(edge.worker.router.weak[0])
