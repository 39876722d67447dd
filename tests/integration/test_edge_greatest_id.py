"""One forged entry with the greatest id closes a stream: what edge and drain make of it."""

import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from redis.asyncio import Redis

from edge.servers import reopening
from edge.servers.reopening import Reopened, reopen
from edge.spool.watch import SpoolWatch
from infrastructure.local.redis_server import RedisServer
from shared.receipt import place
from shared.redis_connection import connect
from tests.edge_processes import EdgeProcesses, edge_processes, wait_for
from tests.edge_under_test import opened

Start = Callable[..., RedisServer]
STREAM = "ingest:test"
MAX = 2**64 - 1
GREATEST = f"{MAX}-{MAX}"
REOPENED = "it had the greatest id there is, and was taken back from it"
CLOSED = "takes no entry any more, its last id is the greatest"


@pytest.fixture
async def redis(spool: str) -> AsyncIterator[Redis]:
    client = connect(spool, 5)
    yield client
    await client.aclose()


async def entries(redis: Redis) -> list[bytes]:
    found: Any = await redis.xrange(STREAM)
    return [fields[b"n"] for _, fields in found]


@pytest.mark.anyio
@pytest.mark.parametrize("ids", [["*", "*", GREATEST], ["*", f"{MAX}-{MAX - 1}", "*"], [GREATEST]])
async def test_a_closed_stream_takes_entries_again_and_has_lost_none(
    redis: Redis, ids: list[str]
) -> None:
    for number, entry_id in enumerate(ids):
        await redis.xadd(STREAM, {"n": number}, id=entry_id)
    assert await reopen(redis, STREAM) is Reopened.REOPENED
    await redis.xadd(STREAM, {"n": "next"})
    assert await entries(redis) == [*(b"%d" % number for number in range(len(ids))), b"next"]
    newest: Any = await redis.xrevrange(STREAM, count=1)
    assert abs(int(newest[0][0].split(b"-")[0]) / 1_000 - time.time()) < 600
    assert await reopen(redis, STREAM) is Reopened.WAS_OPEN


@pytest.mark.anyio
async def test_a_closed_stream_that_is_empty_takes_entries_again(redis: Redis) -> None:
    await redis.xadd(STREAM, {"n": 1}, id=GREATEST)
    await redis.xdel(STREAM, GREATEST)
    assert await reopen(redis, STREAM) is Reopened.REOPENED
    await redis.xadd(STREAM, {"n": "next"})
    assert await entries(redis) == [b"next"]


@pytest.mark.anyio
async def test_one_that_holds_much_is_emptied_first(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reopening, "_MOST", 3)
    for number in range(4):
        await redis.xadd(STREAM, {"n": number}, id="*" if number < 3 else GREATEST)
    watch = SpoolWatch(redis, "test", None, slack=8)
    await watch.look()
    assert watch.is_closed
    assert watch.faults == ["it takes no entry until the drain has emptied it: greatest id"]
    first: Any = await redis.xrange(STREAM, count=1)
    await redis.xdel(STREAM, first[0][0])
    await watch.look()
    assert not watch.is_closed
    assert watch.faults == [REOPENED]
    assert await entries(redis) == [b"1", b"2", b"3"]


@pytest.mark.parametrize("journal", ["off", "on"])
def test_the_drain_opens_the_spool_again_though_the_primary_is_away(
    redis_server: Start, tmp_path: Path, journal: str
) -> None:
    primary, spool = redis_server(), redis_server()
    primary.kill()
    with edge_processes(primary.url, spool.url, tmp_path / "state", edge_journal=journal) as edge:
        edge.start_edge()
        numbers = {_taken(edge)}
        with spool.client() as client:
            client.xadd(STREAM, {"a": "b"}, id=GREATEST)
        assert edge.post().status == 503
        # It is remembered for three seconds after each.
        wait_for(lambda: edge.post().status == 503 and edge.readiness()["stores_at"] == "nowhere")
        edge.start_drain()
        numbers.add(wait_for(lambda: _taken(edge)))
        wait_for(lambda: edge.drain_readiness().get("spool_stream") == [REOPENED])
        fault = 'millrace_spool_stream_fault{what="exhausted"} 1.0'
        wait_for(lambda: fault in edge.drain_metrics())
        wait_for(lambda: edge.readiness()["stores_at"] == "spool")
        primary.start()
        wait_for(lambda: numbers <= _at(primary))


def test_a_closed_stream_at_the_primary_is_found_out_once_and_not_four_times_a_second(
    redis_server: Start, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    primary, spool = redis_server(), redis_server()
    with edge_processes(primary.url, spool.url, tmp_path / "state") as edge:
        edge.start_both()
        with primary.client() as client:
            client.xadd(STREAM, {"a": "b"}, id=GREATEST)
            assert edge.post().status == 202
            wait_for(lambda: edge.drain_readiness().get("primary_stream") == [CLOSED])
            capfd.readouterr()
            asked = client.info("commandstats")["cmdstat_eval"]["calls"]
            wait_for(lambda: client.info("commandstats")["cmdstat_eval"]["calls"] > asked + 6)
            assert edge.drain_readiness()["primary_healthy"] is False
            assert edge.readiness()["stores_at"] == "spool"
            assert edge.post().status == 202
            assert "the primary" not in capfd.readouterr().err
            client.delete(STREAM)
            wait_for(lambda: client.xlen(STREAM) == 2)
        wait_for(lambda: edge.readiness()["stores_at"] == "primary")
        assert "primary_stream" not in edge.drain_readiness()


def _taken(edge: EdgeProcesses) -> tuple[int, int] | None:
    """(boot, seq) of an acknowledged beacon; None when it was refused."""
    answer = edge.post()
    found = place(UUID(answer.receipt)) if answer.status == 202 else None
    return None if found is None else (found.boot, found.seq)


def _at(server: RedisServer) -> set[tuple[int, int]]:
    """(boot, seq) of the batches there; the forged entry is none."""
    with server.client() as client:
        found: Any = client.xrange(STREAM)
    headers = [opened(fields).header for _, fields in found if b"a" not in fields]
    return {(header.boot, header.seq) for header in headers}
