"""What the writer tells an edge's journal of the database, on real servers."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import psycopg
import pytest
from redis.asyncio import Redis

from shared.heartbeat import DrainBeat, redis_key
from shared.redis_connection import connect
from shared.stored import StoredBoot, Told, read_told
from shared.stored import redis_key as stored_key
from tests.writer_world import FakeEdge, Pipe, envelope, put_edge, put_site
from writer.database.session import Session
from writer.ledger.stored_ranges import StoredRanges
from writer.prepare import Entry

pytestmark = pytest.mark.anyio


class Teller:
    """A database with an edge that has a journal, and the loop that tells it."""

    def __init__(self, database: str, redis: Redis) -> None:
        self.database, self.redis = database, redis
        self.session = Session(database, "told")
        self.now = 0
        self.ranges = StoredRanges(self.session, redis, self._clock)

    async def tell(self) -> Told:
        await self.ranges.publish()
        raw: Any = await self.redis.hgetall(stored_key("e1"))
        return read_told(raw)

    async def say_journal(self, *, journal: bool = True) -> None:
        beat = msgspec.msgpack.encode(DrainBeat(0, 0, 0, journal=journal))
        await self.redis.hset(redis_key("e1"), "drain", beat)

    def put_boot(self, boot: int, **columns: str) -> None:
        names = ", ".join(columns)
        values = ", ".join(f"'{value}'" for value in columns.values())
        query = f"insert into boot (edge, boot, {names}) values ('e1', {boot}, {values})"
        with psycopg.connect(self.database, autocommit=True) as connection:
            connection.execute(query.encode())

    def _clock(self) -> int:
        self.now += 1
        return self.now


@pytest.fixture
async def teller(database: str, primary: str) -> AsyncIterator[Teller]:
    put_edge(database)
    put_site(database)
    redis = connect(primary, 60.0, connect_timeout_s=60.0)
    made = Teller(database, redis)
    await made.say_journal()
    yield made
    made.session.close()
    await redis.aclose()


async def test_stored_void_and_aside_numbers_are_one_list_of_ranges(teller: Teller) -> None:
    edge = FakeEdge(boot=7)
    pipe = Pipe(teller.database)
    pipe.put(edge.entry_at(4, [envelope()]), edge.entry_at(9, [envelope()]))
    pipe.close()
    teller.put_boot(7, stored="{[1,3)}", void="{[3,4)}", aside="{[8,9)}")
    told = await teller.tell()
    assert told.boots == {7: StoredBoot(((1, 4), (8, 9)), ended=False)}


async def test_an_entry_that_was_set_aside_whole_is_told_at_once(teller: Teller) -> None:
    edge = FakeEdge(boot=7)
    pipe = Pipe(teller.database)
    good = edge.entry_at(2, [envelope()])
    assert (await teller.tell()).boots == {}
    pipe.put(Entry("e1", b"1-1", {**good.fields, b"body": b"not sealed"}))
    pipe.close()
    assert (await teller.tell()).boots == {7: StoredBoot(((2, 2),))}


async def test_only_an_edge_with_a_journal_is_told(teller: Teller) -> None:
    await teller.say_journal(journal=False)
    teller.put_boot(7, stored="{[1,3)}")
    assert await teller.tell() == Told()


async def test_each_look_is_told_apart_and_a_primary_that_lost_it_gets_all_of_it(
    teller: Teller,
) -> None:
    teller.put_boot(7, stored="{[1,3)}")
    first, second = await teller.tell(), await teller.tell()
    assert first.at != second.at
    await teller.redis.delete(stored_key("e1"))
    assert (await teller.tell()).boots == first.boots


async def test_a_boot_that_ended_is_told_for_days_and_then_no_more(teller: Teller) -> None:
    teller.put_boot(7, stored="{[1,3)}", ended="true", last_heard="now")
    assert (await teller.tell()).boots == {7: StoredBoot(((1, 2),), ended=True)}
    with psycopg.connect(teller.database, autocommit=True) as connection:
        connection.execute("update boot set last_heard = now() - interval '4 days'")
    assert (await teller.tell()).boots == {}
