"""What edges dropped or refused is noted by day, each event once, however often it is told."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date, datetime
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from shared.heartbeat import BootBeat, redis_key
from shared.redis_connection import connect
from tests.writer_world import NOON, SITE, put_edge, put_site, rows
from writer.database.session import Session
from writer.known.zones import us
from writer.ledger.keeper import Ledger

pytestmark = pytest.mark.anyio
TODAY = date(2026, 6, 10)
NOTED = "select day, reason, events from not_counted order by day, reason"
DNT = "dropped:dnt"


class World:
    """Edges that tell, and writers that listen."""

    def __init__(self, database: str, redis: Redis) -> None:
        self.database = database
        self.redis = redis
        self._sessions: list[Session] = []

    def writer(self) -> Ledger:
        session = Session(self.database, f"test{len(self._sessions)}")
        self._sessions.append(session)
        return Ledger(session, self.redis)

    async def tell(
        self, boot: int = 1, at: int = NOON, edge: str = "e1", ended: bool = False, **counts: int
    ) -> None:
        """The name of an outcome has `__` for its colon."""
        outcomes = {name.replace("__", ":"): events for name, events in counts.items()}
        beat = BootBeat(at, 0, at, 0, counts={SITE: outcomes}, ended=ended)
        raw: Any = msgspec.msgpack.encode(beat)
        await self.redis.hset(redis_key(edge), f"{boot:012x}", raw)

    def noted(self) -> list[tuple[Any, ...]]:
        return rows(self.database, NOTED)

    async def close(self) -> None:
        for session in self._sessions:
            await asyncio.to_thread(session.close)
        await self.redis.aclose()


@pytest.fixture
async def world(database: str, primary: str) -> AsyncIterator[World]:
    put_edge(database)
    made = World(database, connect(primary, 60.0, connect_timeout_s=60.0))
    yield made
    await made.close()


async def test_each_increase_is_noted_once_by_reason(world: World) -> None:
    put_site(world.database)
    writer = world.writer()
    await world.tell(dropped__dnt=3, refused__forbidden_origin=2, received=50)
    for _ in range(3):
        await writer.copy_heartbeats()
    await world.tell(at=NOON + 1, dropped__dnt=5, refused__forbidden_origin=2, received=70)
    await writer.copy_heartbeats()
    assert world.noted() == [(TODAY, DNT, 5), (TODAY, "refused:forbidden_origin", 2)]


async def test_it_stands_on_the_sites_own_day_on_which_it_was_told(world: World) -> None:
    put_site(world.database, time_zone="Asia/Kolkata")
    writer = world.writer()
    for moment, events in (("18:29:59Z", 1), ("18:30:00Z", 3)):
        await world.tell(at=us(datetime.fromisoformat(f"2026-06-10T{moment}")), dropped__gpc=events)
        await writer.copy_heartbeats()
    reason = "dropped:gpc"
    assert world.noted() == [(TODAY, reason, 1), (date(2026, 6, 11), reason, 2)]


async def test_a_heartbeat_that_comes_late_adds_nothing_and_takes_nothing(world: World) -> None:
    put_site(world.database)
    writer = world.writer()
    for events in (5, 3, 5, 4, 6):
        await world.tell(dropped__dnt=events)
        await writer.copy_heartbeats()
    assert world.noted() == [(TODAY, DNT, 6)]


async def test_a_writer_that_starts_anew_notes_nothing_again(world: World) -> None:
    put_site(world.database)
    await world.tell(dropped__dnt=5)
    await world.writer().copy_heartbeats()
    await world.writer().copy_heartbeats()
    await world.tell(dropped__dnt=7)
    await world.writer().copy_heartbeats()
    assert world.noted() == [(TODAY, DNT, 7)]


async def test_several_writers_at_once_note_each_event_once(world: World) -> None:
    put_site(world.database)
    put_edge(world.database, "e2")
    writers = [world.writer() for _ in range(4)]
    for events in range(1, 9):
        for edge in ("e1", "e2"):
            await world.tell(edge=edge, dropped__dnt=events, refused__rate_limited=events)
        await asyncio.gather(*(writer.copy_heartbeats() for writer in writers))
    assert world.noted() == [(TODAY, DNT, 16), (TODAY, "refused:rate_limited", 16)]


async def test_the_last_word_about_a_boot_counts_what_was_new_in_it_and_boots_add_up(
    world: World,
) -> None:
    put_site(world.database)
    writer = world.writer()
    await world.tell(boot=1, dropped__dnt=2)
    await world.tell(boot=2, dropped__dnt=10)
    await writer.copy_heartbeats()
    await world.tell(boot=1, dropped__dnt=3, ended=True)
    await writer.copy_heartbeats()
    await writer.copy_heartbeats()
    assert world.noted() == [(TODAY, DNT, 13)]


async def test_what_cannot_be_a_count_of_a_boot_leaves_the_others(world: World) -> None:
    put_site(world.database)
    await world.tell(boot=1, dropped__dnt=2**63)
    await world.tell(boot=2, dropped__dnt=4)
    await world.writer().copy_heartbeats()
    assert world.noted() == [(TODAY, DNT, 4)]


async def test_of_a_site_that_is_not_known_nothing_is_noted(world: World) -> None:
    writer = world.writer()
    await world.tell(refused__unknown_site=9)
    await writer.copy_heartbeats()
    put_site(world.database)
    await world.tell(refused__unknown_site=9, dropped__dnt=1)
    await writer.copy_heartbeats()
    assert world.noted() == [(TODAY, DNT, 1)]
