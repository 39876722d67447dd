"""Heartbeats are copied when they change, in one transaction, and those of the past go away."""

import logging
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from shared.heartbeat import BootBeat, redis_key
from shared.metrics import LEDGER_EDGE_HEARD
from tests.writer_world import NOON, rows
from writer.database.connection import Unavailable
from writer.known.zones import moment
from writer.ledger.beats import KEPT_BEATS, KEPT_US
from writer.ledger.keeper import Ledger

pytestmark = pytest.mark.anyio
_KEY = redis_key("e1")


def over(low: int = 1, **more: Any) -> bytes:
    """The last word about a boot that gave all its numbers up: nothing of it is missing."""
    told = {"at": NOON, "low_time": NOON, "last_acked": 0, "ended": True, **more}
    return msgspec.msgpack.encode(BootBeat(low=low, void=((1, 1),), **told))


def field(boot: int) -> str:
    return f"{boot:012x}"


async def fields(redis: Redis) -> set[int]:
    raw: Any = await redis.hkeys(_KEY)
    return {int(name, 16) for name in raw}


def written(database: str) -> list[tuple[Any, ...]]:
    return rows(database, "select boot, xmin::text from boot order by boot")


async def test_thousands_of_boots_that_are_over_are_written_once_and_together(
    database: str, redis: Redis, ledger: Ledger
) -> None:
    past = {field(boot): over() for boot in range(1, 2001)}
    await redis.hset(_KEY, mapping=past)  # type: ignore[arg-type]
    await ledger.copy_heartbeats()
    [(boots, transactions)] = rows(
        database, "select count(*), count(distinct xmin::text) from boot"
    )
    assert (boots, transactions) == (2000, 1)
    assert await redis.hlen(_KEY) == KEPT_BEATS
    before = written(database)
    alive = msgspec.structs.replace(msgspec.msgpack.decode(over(), type=BootBeat), at=NOON + 7)
    await redis.hset(_KEY, field(5_000), msgspec.msgpack.encode(alive))
    await ledger.copy_heartbeats()
    assert written(database)[:-1] == before
    assert rows(database, "select last_heard from edge") == [(moment(NOON + 7),)]


async def test_a_boot_that_is_over_and_whole_is_kept_for_a_day_and_one_that_lacks_something_longer(
    redis: Redis, ledger: Ledger
) -> None:
    beats = {field(1): over(), field(2): over(low=2), field(3): over(ended=False)}
    await redis.hset(_KEY, mapping=beats)  # type: ignore[arg-type]
    await ledger.copy_heartbeats()
    assert await fields(redis) == {1, 2, 3}
    await redis.hset(_KEY, field(4), over(at=NOON + KEPT_US + 1, ended=False))
    await ledger.copy_heartbeats()
    assert await fields(redis) == {2, 3, 4}


async def test_a_last_word_that_is_told_again_goes_again_and_changes_nothing(
    database: str, redis: Redis, ledger: Ledger
) -> None:
    await redis.hset(_KEY, field(4), over(at=NOON + KEPT_US + 1, ended=False))
    for _ in range(2):
        await redis.hset(_KEY, field(1), over())
        await ledger.copy_heartbeats()
        assert await fields(redis) == {4}
    found = "select low, ended, void::text from boot where boot = 1"
    assert rows(database, found) == [(1, True, "{[1,2)}")]


async def test_what_cannot_be_read_is_said_once_and_stays_out_of_the_way(
    database: str, redis: Redis, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    await redis.hset(_KEY, mapping={field(1): b"junk", "junk": b"junk", field(2): over()})
    with caplog.at_level(logging.WARNING, "writer"):
        for _ in range(3):
            await ledger.copy_heartbeats()
    assert [record.name for record in caplog.records].count("writer") == 2
    assert rows(database, "select boot from boot") == [(2,)]


async def test_a_database_that_was_away_is_told_everything_again(
    database: str, redis: Redis, ledger: Ledger
) -> None:
    await redis.hset(_KEY, field(1), over())
    await ledger.copy_heartbeats()
    rows(database, "delete from boot returning boot")
    kill = "select pg_terminate_backend(pid) from pg_stat_activity where application_name"
    rows(database, f"{kill} = 'millrace-writer' and datname = current_database()")
    with pytest.raises(Unavailable):
        await ledger.copy_heartbeats()
    await ledger.copy_heartbeats()
    assert rows(database, "select boot from boot") == [(1,)]


async def test_when_an_edge_was_last_heard_is_shown_until_it_is_retired(
    database: str, redis: Redis, ledger: Ledger
) -> None:
    await redis.hset(_KEY, field(1), over())
    await ledger.copy_heartbeats()
    await ledger.look_for_losses()
    assert LEDGER_EDGE_HEARD.labels("e1")._value.get() == NOON / 1e6
    rows(database, "update edge set retired_at = now() returning edge")
    await ledger.look_for_losses()
    [shown] = LEDGER_EDGE_HEARD.collect()
    assert "e1" not in [sample.labels["edge"] for sample in shown.samples]
