"""``aof_enabled`` is 1 from CONFIG SET on; nothing is kept before the first rewrite has ended."""

import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from edge.servers.promise import names
from infrastructure.local.redis_server import RedisServer
from shared.receipt import place
from tests.edge_processes import EdgeProcesses, Reply, edge_processes, wait_for
from tests.edge_under_test import (
    EdgeUnderTest,
    edge_settings,
    running_edge,
    stored_batches,
)

Start = Callable[..., RedisServer]
LATER = "no fsync proven"


def switch_on_slowly(server: RedisServer) -> None:
    """Its first rewrite takes minutes, as with many keys or a slow disk."""
    with server.client() as client:
        for number in range(12):
            client.set(f"large:{number}", b"x")
        client.config_set("appendonly", "no")
        client.config_set("rdb-key-save-delay", 30_000_000)
        client.config_set("appendonly", "yes")
        persistence = client.info("persistence")
        assert persistence["aof_enabled"] == persistence["aof_rewrite_in_progress"] == 1


def finish_rewrite(server: RedisServer) -> None:
    """The one under way is given up, and the next is quick."""
    with server.client() as client:
        client.config_set("appendonly", "no")
        client.config_set("rdb-key-save-delay", 0)
        client.config_set("appendonly", "yes")


def number_of(answer: Reply) -> tuple[int, int]:
    """(boot, seq) of the batch that an acknowledged beacon is in."""
    found = place(UUID(answer.receipt))
    assert found is not None
    return found.boot, found.seq


def length(server: RedisServer) -> int:
    with server.client() as client:
        return int(client.xlen("ingest:test"))


def test_a_spool_whose_file_is_not_yet_in_effect_acknowledges_nothing(
    redis_server: Start, tmp_path: Path
) -> None:
    primary, spool = redis_server(), redis_server()
    primary.kill()
    with edge_processes(primary.url, spool.url, tmp_path / "state") as edge:
        edge.start_edge()
        edge.start_drain()
        numbers = {number_of(edge.post())}
        switch_on_slowly(spool)
        wait_for(lambda: _names(edge) == {"spool": [LATER]})
        found = wait_for(lambda: edge.drain_readiness().get("weaker_promises"))
        assert found == {"spool": [LATER]}
        assert edge.readiness()["stores_at"] == "nowhere"
        for _ in range(3):
            answer = edge.post()
            assert (answer.status, answer.retry_after_s) == (503, 1)
        spool.kill()
        spool.start()
        wait_for(lambda: edge.readiness()["stores_at"] == "spool")
        numbers.add(number_of(wait_for(lambda: (a := edge.post()).status == 202 and a)))
    kept = {(made.header.boot, made.header.seq) for made in stored_batches(spool.url)}
    assert numbers <= kept


@pytest.mark.anyio
async def test_a_worker_that_starts_meanwhile_does_not_believe_the_primary(
    redis_server: Start, tmp_path: Path
) -> None:
    primary, spool = redis_server(), redis_server()
    switch_on_slowly(primary)
    async with running_edge(edge_settings(primary.url, spool.url, tmp_path)) as edge:
        assert _weak(edge) == [LATER]
        assert (await edge.post()).status == 202
    # Until it has a file, a Redis that is told to end refuses to.
    finish_rewrite(primary)
    assert (length(primary), length(spool)) == (0, 1)


def test_a_primary_that_is_switched_off_and_on_is_not_used_until_it_keeps_anything(
    redis_server: Start, tmp_path: Path
) -> None:
    primary, spool = redis_server(), redis_server()
    with edge_processes(primary.url, spool.url, tmp_path / "state") as edge:
        edge.start_both()
        switch_on_slowly(primary)
        wait_for(lambda: edge.readiness()["stores_at"] == "spool")
        named = {"primary": [LATER]}
        wait_for(lambda: edge.drain_readiness().get("weaker_promises") == named)
        assert edge.post().status == 202
        finish_rewrite(primary)
        wait_for(lambda: edge.readiness()["stores_at"] == "primary")
        wait_for(lambda: length(primary) == 1 and length(spool) == 0)


@pytest.mark.anyio
async def test_an_ordinary_rewrite_changes_nothing(redis_server: Start, tmp_path: Path) -> None:
    primary, spool = redis_server(), redis_server()
    async with running_edge(edge_settings(primary.url, spool.url, tmp_path)) as edge:
        with primary.client() as client:
            for number in range(12):
                client.set(f"large:{number}", b"x")
            client.config_set("rdb-key-save-delay", 30_000_000)
            client.bgrewriteaof()
            assert client.info("persistence")["aof_rewrite_in_progress"] == 1
        await edge.worker.router.check_primary()
        began = time.monotonic()
        assert (await edge.post()).status == 202
        # The rewrite takes six minutes, half a minute a key.
        assert time.monotonic() - began < 20
        assert not edge.worker.router.breaker.is_open
    assert length(primary) == 1


def _names(edge: EdgeProcesses) -> object:
    return edge.readiness().get("weaker_promises")


def _weak(edge: EdgeUnderTest) -> list[str]:
    return names(edge.worker.router.weak[0])
