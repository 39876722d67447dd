"""A spool whose stream is not whole is named, on a real Redis."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from edge.spool.watch import SpoolWatch
from infrastructure.local.redis_server import RedisServer
from shared.redis_connection import connect
from tests.edge_processes import edge_processes, wait_for

Start = Callable[..., RedisServer]
STREAM = "ingest:test"


class Drained:
    """The drain's count, by hand."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self.count = 0

    def __call__(self) -> int:
        return self.count

    async def delete(self, entries: int) -> None:
        found: Any = await self._redis.xrange(STREAM, count=entries)
        await self._redis.xdel(STREAM, *[entry_id for entry_id, _ in found])


@pytest.fixture
async def redis(spool: str) -> AsyncIterator[Redis]:
    client = connect(spool, 5)
    for _ in range(50):
        await client.xadd(STREAM, {"a": "b"})
    yield client
    await client.aclose()


async def faults(watch: SpoolWatch) -> list[str]:
    await watch.look()
    return watch.faults


@pytest.mark.anyio
async def test_what_the_drain_moves_is_no_fault_though_it_is_counted_late(redis: Redis) -> None:
    drained = Drained(redis)
    watch = SpoolWatch(redis, "test", drained, slack=8)
    assert await faults(watch) == []
    for _ in range(5):
        await drained.delete(8)
        assert await faults(watch) == []
        drained.count += 8


@pytest.mark.anyio
async def test_entries_that_the_drain_has_not_moved_are_missed(redis: Redis) -> None:
    drained = Drained(redis)
    watch = SpoolWatch(redis, "test", drained, slack=8)
    assert await faults(watch) == []
    await redis.xtrim(STREAM, maxlen=20, approximate=False)
    assert await faults(watch) == ["cut short: 30 entries left it that were not moved"]


@pytest.mark.anyio
async def test_a_spool_that_began_anew_is_named_whoever_deletes_there(redis: Redis) -> None:
    watch = SpoolWatch(redis, "test", None, slack=8)
    assert await faults(watch) == []
    await redis.flushall()
    assert await faults(watch) == ["begun anew: a second before it held 50 entries"]


@pytest.mark.anyio
async def test_ids_ahead_of_the_clock_are_named(redis: Redis) -> None:
    watch = SpoolWatch(redis, "test", None, slack=8)
    seconds, _ = await redis.time()
    await redis.xadd(STREAM, {"a": "b"}, id=f"{(seconds + 7_200) * 1_000}-0")
    (message,) = await faults(watch)
    assert message.startswith("its ids run 7")


def test_the_drain_says_on_its_readiness_that_a_spool_was_cut_short(
    redis_server: Start, tmp_path: Path
) -> None:
    primary, spool = redis_server(), redis_server()
    primary.kill()
    with edge_processes(primary.url, spool.url, tmp_path / "state") as edge:
        edge.start_drain()
        wait_for(lambda: edge.drain_readiness()["ready"])
        with spool.client() as client:
            for _ in range(200):
                client.xadd(STREAM, {"a": "b"})
            before = client.info("commandstats")["cmdstat_xinfo|stream"]["calls"]
            wait_for(
                lambda: client.info("commandstats")["cmdstat_xinfo|stream"]["calls"] > before + 1
            )
            client.xtrim(STREAM, maxlen=10, approximate=False)
        found = wait_for(lambda: edge.drain_readiness().get("spool_stream"))
        assert found == ["cut short: 190 entries left it that were not moved"]
