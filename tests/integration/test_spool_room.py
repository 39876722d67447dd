"""What a spool can still take: by its bound, its own limit, its disk; and how long that lasts."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from edge.spool.stream import Entry, Extent, Spool, SpoolGauges, measure_room
from shared.redis_connection import connect
from tests.journeys.visit_world import until

pytestmark = pytest.mark.anyio

MB = 1_000_000
BOUND = 400 * MB


@pytest.fixture
async def redis(spool: str) -> AsyncIterator[Redis]:
    client = connect(spool, 5.0)
    before = (await client.config_get("maxmemory"))["maxmemory"]
    yield client
    await client.config_set("maxmemory", before or 0)
    await client.aclose()


def disk_with(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_bavail=free, f_frsize=1))


def shown(name: str) -> float | None:
    return REGISTRY.get_sample_value(f"millrace_spool_headroom_{name}")


async def test_the_smaller_of_its_own_limit_and_ours_is_the_bound(redis: Redis) -> None:
    await redis.config_set("maxmemory", 30 * MB)
    assert (await measure_room(redis, BOUND)).bound == 30 * MB
    await redis.config_set("maxmemory", 3 * BOUND)
    assert (await measure_room(redis, BOUND)).bound == BOUND
    await redis.config_set("maxmemory", 0)
    room = await measure_room(redis, BOUND)
    assert room.bound == BOUND
    assert 0 < room.free < BOUND - room.used


async def test_what_is_taken_and_given_back_shows(redis: Redis) -> None:
    entry = {b"body": os.urandom(MB)}
    before = (await measure_room(redis, BOUND)).free
    entry_id: Any = await redis.xadd("ingest:test", entry)  # type: ignore[arg-type]
    taken = (await measure_room(redis, BOUND)).free
    assert before - 4 * MB < taken <= before - MB
    await Spool(redis, "test", BOUND).delete([Entry(entry_id, entry)])
    assert (await measure_room(redis, BOUND)).free > taken + MB // 2


async def test_a_disk_shorter_than_the_memory_counts(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk_with(monkeypatch, 20 * MB)
    assert (await measure_room(redis, BOUND)).free == 20 * MB - BOUND // 32
    disk_with(monkeypatch, BOUND // 32)
    assert (await measure_room(redis, BOUND)).free == 0


async def test_a_disk_that_cannot_be_seen_counts_for_nothing(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def nowhere(_: str) -> Any:
        raise FileNotFoundError(tmp_path)

    monkeypatch.setattr(os, "statvfs", nowhere)
    room = await measure_room(redis, BOUND)
    assert room.disk is None
    assert room.free > 0


async def test_a_file_full_of_what_was_deleted_is_rewritten_when_the_disk_is_short(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(20):
        await redis.xadd("ingest:test", {"body": os.urandom(MB)})
    await redis.delete("ingest:test")
    disk_with(monkeypatch, 10 * MB)
    await Spool(redis, "test", BOUND).measure()

    async def is_small() -> bool:
        return bool((await redis.info("persistence"))["aof_current_size"] < 10 * MB)

    await until(is_small, "the file is rewritten")


async def test_headroom_in_seconds_goes_by_the_present_growth() -> None:
    gauges = SpoolGauges()
    gauges.show(Extent(1, 10 * MB, 90 * MB, 1), 1.0)
    assert shown("seconds") == float("inf")
    gauges.show(Extent(2, 20 * MB, 80 * MB, 1), 1.0)
    assert shown("seconds") == pytest.approx(8)
    assert shown("bytes") == 80 * MB
    for step in range(20):
        gauges.show(Extent(2, (20 + step) * MB, (80 - step) * MB, 1), 1.0)
    assert shown("seconds") == pytest.approx(61, rel=0.1)


async def test_a_spool_that_drains_lasts_for_ever_and_a_full_one_not_at_all() -> None:
    gauges = SpoolGauges()
    for used in (50, 40, 30):
        gauges.show(Extent(1, used * MB, (100 - used) * MB, 1), 1.0)
    assert shown("seconds") == float("inf")
    gauges.show(Extent(1, 30 * MB, 0, 1), 1.0)
    assert shown("seconds") == 0
