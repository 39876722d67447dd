"""The history on its way: sent to the edge as a keyed import, and stored by the writer."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import httpx
import psycopg

from infrastructure.demo.history import PastEvent, days_until, events_of
from infrastructure.problem import Problem
from infrastructure.progress import Report
from infrastructure.replay.delivery import Delivery, GaveUp
from infrastructure.replay.import_key import ImportKey
from infrastructure.replay.parcel import Parcel

_AT_ONCE = 3
_NOT_YET = timedelta(minutes=2)
"""The last minutes are left to the live traffic."""
_PATIENCE_S = 120.0
_LOOK_EVERY_S = 0.2


@dataclass
class Seed:
    """Brings what is missing of the history; what is stored already is not sent again."""

    edge_url: str
    postgres_url: str
    site: str
    key: ImportKey
    events_a_day: int
    report: Report
    _sent: dict[date, list[PastEvent]] = field(default_factory=dict, init=False)

    async def run(self, now: datetime) -> int:
        """How many events were sent; by then all of them are stored, and answers hold them.
        Raises Problem."""
        try:
            async with (
                await psycopg.AsyncConnection.connect(self.postgres_url, autocommit=True) as db,
                httpx.AsyncClient(trust_env=False) as client,
            ):
                await _send_all(self._delivery(client), self._parcels(db, now))
                await self._wait_until_stored(db)
                await _wait_until_summed(db)
        except GaveUp as error:
            raise Problem(f"The history could not be sent: {error}.") from error
        return sum(map(len, self._sent.values()))

    def _delivery(self, client: httpx.AsyncClient) -> Delivery:
        url, key = f"{self.edge_url}/track", self.key
        return Delivery(
            client, url, key.text, lambda _: None, patience_s=_PATIENCE_S, new_key=key.new
        )

    async def _parcels(self, db: psycopg.AsyncConnection, now: datetime) -> AsyncIterator[bytes]:
        days, until_ms = days_until(now), (now - _NOT_YET).timestamp() * 1_000
        for number, day in enumerate(days):
            events = [e for e in events_of(day, self.site, self.events_a_day) if e.ts <= until_ms]
            there = await _stored(db, day, events)
            self._sent[day] = [event for event in events if event.event_id not in there]
            for body in _packed(self._sent[day]):
                yield body
            self.report(number, 2 * len(days))

    async def _wait_until_stored(self, db: psycopg.AsyncConnection) -> None:
        deadline_s = time.monotonic() + _PATIENCE_S
        for number, (day, events) in enumerate(self._sent.items()):
            while len(await _stored(db, day, events)) < len(events):
                if time.monotonic() > deadline_s:
                    raise Problem("The history was sent and is not stored: see the writer's log.")
                await asyncio.sleep(_LOOK_EVERY_S)
            self.report(len(self._sent) + number, 2 * len(self._sent))


async def _send_all(delivery: Delivery, parcels: AsyncIterator[bytes]) -> None:
    """A few parcels are under way at a time."""
    under_way: set[asyncio.Task[object]] = set()
    try:
        async for body in parcels:
            under_way.add(asyncio.create_task(delivery.send(body)))
            if len(under_way) == _AT_ONCE:
                under_way = await _one_less(under_way)
        while under_way:
            under_way = await _one_less(under_way)
    finally:
        for task in under_way:
            task.cancel()


async def _one_less(tasks: set[asyncio.Task[object]]) -> set[asyncio.Task[object]]:
    done, left = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
    return left


async def _wait_until_summed(db: psycopg.AsyncConnection) -> None:
    """Whoever opens the dashboard now sees every day; a stage that does not run is not waited for,
    since rows answer then."""
    last = await (await db.execute("select coalesce(max(commit_no), 0) from commits")).fetchone()
    deadline_s = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline_s:
        if await (await db.execute(_SUMMED, last)).fetchone() == (True,):
            return
        await asyncio.sleep(_LOOK_EVERY_S)


async def _stored(db: psycopg.AsyncConnection, day: date, events: Iterable[PastEvent]) -> set[UUID]:
    begins = datetime(day.year, day.month, day.day, tzinfo=UTC)
    ids = [event.event_id for event in events]
    found = await db.execute(_STORED, [ids, begins, begins + timedelta(days=1)])
    return {event_id for (event_id,) in await found.fetchall()}


_SUMMED = "select looked_at is null or commit_no >= %s from rollup_progress"
_STORED = """
select event_id from events
where event_id = any(%s) and ts >= %s and ts < %s and commit_out is null
"""


def _packed(events: Iterable[PastEvent]) -> Iterator[bytes]:
    parcel = Parcel()
    for event in events:
        if full := parcel.add(event):
            yield full
    if last := parcel.take():
        yield last
