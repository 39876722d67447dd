"""The last words that a journal keeps of its boots, on a real spool."""

import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from edge.journal.last_words import LastWords
from infrastructure.local.redis_server import RedisServer
from shared.heartbeat import BootBeat
from shared.redis_connection import connect

pytestmark = pytest.mark.anyio
_US_PER_H = 3_600_000_000


@pytest.fixture
async def redis(spool: str) -> AsyncIterator[Redis]:
    client = connect(spool, 5)
    yield client
    await client.aclose()


def word(hours_ago: float) -> bytes:
    at = time.time_ns() // 1_000 - int(hours_ago * _US_PER_H)
    return msgspec.msgpack.encode(BootBeat(at=at, low=1, low_time=at, last_acked=1, ended=True))


async def test_the_words_outlive_the_drain(redis: Redis) -> None:
    said = word(1)
    assert await LastWords(redis, "test", 24).keep(7, said)
    words = LastWords(redis, "test", 24)
    await words.recall()
    assert await words.read(words.boots) == {7: said}


async def test_they_are_kept_as_long_as_the_journal_keeps_batches(redis: Redis) -> None:
    words = LastWords(redis, "test", 48)
    for boot, hours_ago in ((1, 47), (2, 49), (3, 1)):
        await words.keep(boot, word(hours_ago))
    await words.trim(lambda _: True)
    assert sorted(words.boots) == [1, 3]
    assert sorted(await redis.hkeys("words:test")) == [b"%012x" % 1, b"%012x" % 3]


async def test_one_that_the_core_does_not_confirm_is_kept_half_a_day_longer(redis: Redis) -> None:
    words = LastWords(redis, "test", 24)
    for boot, hours_ago in ((1, 35), (2, 37)):
        await words.keep(boot, word(hours_ago))
    await words.trim(lambda _: False)
    assert list(words.boots) == [1]


async def test_a_spool_without_room_keeps_none_and_says_so(
    redis_server: Callable[..., RedisServer],
) -> None:
    full = connect(redis_server(max_bytes=1).url, 5)
    words = LastWords(full, "test", 24)
    assert not await words.keep(7, word(1))
    assert list(words.boots) == []
    await full.aclose()


async def test_one_that_the_spool_has_lost_is_forgotten(redis: Redis) -> None:
    words = LastWords(redis, "test", 24)
    await words.keep(7, word(1))
    await words.keep(8, word(1))
    lost: Any = b"%012x" % 7
    await redis.hdel("words:test", lost)
    assert list(await words.read([7, 8])) == [8]
    assert list(words.boots) == [8]
