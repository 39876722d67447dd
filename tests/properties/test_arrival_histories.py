"""Whatever the order, batching, repetition and delay of arrival, and however many writers: the same
events stand, and every answer is the one reckoned from the requests alone."""

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from api.database import open_pool
from api.query.answer import answer
from api.query.wire import Question
from api.sites import find_site
from shared import receipt
from shared.envelope import Envelope
from tests.oracle import numbers
from tests.writer_world import (
    CHROME,
    NOON,
    SITE,
    FakeEdge,
    Pipe,
    client_id,
    envelope,
    put_key,
    put_site,
    standing,
)
from writer.known.zones import moment
from writer.prepare import Entry

KEY = "mr_" + "k" * 43
MINUTE_US = 60_000_000
AS_OF = 1 << 60
DAY = ["2026-06-10", "2026-06-10"]
ALL = ["visitors", "pageviews", "events", "visits", "views_per_visit", "bounce_rate"]
QUESTIONS: tuple[dict[str, Any], ...] = (
    {"metrics": [*ALL, "visit_duration"], "date_range": DAY},
    {"metrics": ["visitors", "pageviews", "events"], "dimensions": ["event:name"]},
    {"metrics": ALL, "dimensions": ["event:page"]},
    {"metrics": ALL, "dimensions": ["visit:entry_page"]},
    {"metrics": ALL, "dimensions": ["visit:exit_page", "time:hour"]},
    {"metrics": ALL, "filters": [["is", "event:page", ["/a"]]]},
)


class Request(NamedTuple):
    """What a client sent, as a test draws it. ``known``: number of the id that it minted."""

    edge: int
    kind: str
    known: int
    minute: int
    age_min: int
    page: str
    name: str
    address: int | None


requests = st.builds(
    Request,
    edge=st.integers(0, 1),
    kind=st.sampled_from(("plain", "minted", "minted", "keyed", "keyed", "keyed without ts")),
    known=st.integers(0, 3),
    minute=st.integers(0, 90),
    age_min=st.sampled_from((0, 0, 1, 29, 40)),
    page=st.sampled_from(("/", "/a", "/b")),
    name=st.sampled_from(("pageview", "pageview", "signup", "engagement")),
    address=st.sampled_from((1, 2, None)),
)


class Sent(NamedTuple):
    """A request with what the edge made of it, and the row that it would become."""

    envelope: Envelope
    known: int | None
    order: tuple[int, int, int]
    row: dict[str, Any]


def captured(request: Request, place: int, boot: int, seq: int, nth: int) -> Sent:
    """``place``: microseconds by which the requests of one minute differ."""
    is_keyed, is_derived = request.kind.startswith("keyed"), request.kind == "keyed"
    known = None if request.kind == "plain" else request.known
    received_at = NOON + request.minute * MINUTE_US + place
    # A retry repeats its `ts`, or its age has grown; a faulty client sends another one.
    ts = (NOON - request.age_min * MINUTE_US) if is_derived else None
    at = received_at - request.age_min * MINUTE_US if ts is None else ts
    url = f"https://{SITE}{request.page}"
    fields: dict[str, Any] = {"site": SITE, "url": url, "name": request.name}
    if known is not None:
        fields["id"] = client_id(known)
    if ts is not None:
        fields["ts"] = ts // 1_000
    else:
        fields["age_ms"] = request.age_min * 60_000
    address = None if request.address is None else f"203.0.113.{request.address}"
    if is_keyed and address is not None:
        fields |= {"ip": address, "user_agent": CHROME}
    if request.name == "engagement":
        fields |= {"interactive": False, "engaged_ms": 1_000}
    body = msgspec.json.encode(fields)
    key = KEY if is_keyed else None
    beacon = envelope(received_at=received_at, ip=address or "", key=key, body=body)
    event_id = (
        receipt.derived(SITE, client_id(request.known))
        if is_derived
        else receipt.counted(boot, seq, nth)
    )
    row = {
        "ts": moment(at),
        "event_id": UUID(int=event_id),
        "commit_in": 1,
        "commit_out": None,
        "day": moment(at).date(),
        "hour": moment(at).hour,
        "visitor": request.address,
        "name": request.name,
        "interactive": request.name != "engagement",
        "bot": None,
        "page": request.page,
        "engaged_ms": 1_000 if request.name == "engagement" else None,
        "scroll_pct": None,
    }
    return Sent(beacon, known, (received_at, event_id, at), row)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Entry], list[dict[str, Any]]]:
    """(entries as the edges sent them, the rows that stand in the end)."""
    drawn = draw(st.lists(requests, min_size=1, max_size=14))
    size = draw(st.integers(1, 5))
    entries: list[Entry] = []
    sent: list[Sent] = []
    for number in range(2):
        edge = FakeEdge(f"e{number}", boot=number + 1)
        own = [(place, one) for place, one in enumerate(drawn) if one.edge == number]
        for first in range(0, len(own), size):
            batch = [
                captured(one, place, edge.boot, edge.seq + 1, nth)
                for nth, (place, one) in enumerate(own[first : first + size])
            ]
            sent += batch
            entries.append(edge.entry([one.envelope for one in batch]))
    return entries, rows_that_stand(sent)


def rows_that_stand(sent: Sequence[Sent]) -> list[dict[str, Any]]:
    """Of each id the least (received_at, event id, ts), and whatever has no id."""
    least: dict[int, Sent] = {}
    for one in sent:
        if one.known is not None and one.order < least.get(one.known, one).order:
            least[one.known] = one
        elif one.known is not None:
            least.setdefault(one.known, one)
    return [one.row for one in sent if one.known is None] + [one.row for one in least.values()]


@dataclass
class World:
    """Two writers on one database, and the API's answers."""

    database: str
    pipes: list[Pipe]
    runner: asyncio.Runner
    pool: AsyncEngine

    def ask(self, asked: dict[str, Any]) -> list[Any]:
        wire = msgspec.convert({"site_id": SITE, **asked}, Question)
        return self.runner.run(self._ask(wire))

    async def _ask(self, wire: Question) -> list[Any]:
        async with self.pool.connect() as db:
            now = datetime.now(UTC)
            found = await find_site(db, SITE, now)
            assert found is not None
            await db.rollback()
            given = await answer(db, found, wire, now, 60.0)
        results: list[Any] = msgspec.to_builtins(given)["results"]
        return results

    def empty(self) -> None:
        tables = "events, client_id, left_out, batch, boot, commits, quarantine, ledger_count"
        with psycopg.connect(self.database, autocommit=True) as connection:
            connection.execute(f"truncate {tables}".encode())


@pytest.fixture
def world(database: str) -> Iterator[World]:
    put_site(database)
    put_key(database, KEY)
    pipes = [Pipe(database, now=NOON + 90 * MINUTE_US) for _ in range(2)]
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        pool = runner.run(stack.enter_async_context(open_pool(database, 1)))
        yield World(database, pipes, runner, pool)
        runner.run(stack.aclose())
    for pipe in pipes:
        pipe.close()


def check(world: World, rows: list[dict[str, Any]]) -> None:
    found = sorted(standing(world.database, "event_id, ts, page, name"))
    assert found == sorted((r["event_id"], r["ts"], r["page"], r["name"]) for r in rows)
    for question in QUESTIONS:
        asked = {"date_range": DAY, **question}
        expected, _ = numbers.answer(rows, AS_OF, asked)
        assert world.ask(asked) == expected, asked


@settings(
    max_examples=60,
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
@given(history=histories(), data=st.data())
def test_no_order_batching_repetition_or_delay_of_arrival_changes_an_answer(
    world: World, history: tuple[list[Entry], list[dict[str, Any]]], data: st.DataObject
) -> None:
    entries, rows = history
    world.empty()
    repeated = data.draw(st.lists(st.sampled_from(entries), max_size=4))
    arrival = data.draw(st.permutations(entries + repeated))
    while arrival:
        size = data.draw(st.integers(1, len(arrival)))
        world.pipes[data.draw(st.integers(0, 1))].put(*arrival[:size])
        arrival = arrival[size:]
    check(world, rows)


@settings(
    max_examples=20,
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
@given(history=histories(), data=st.data())
def test_two_writers_at_once_on_the_same_entries_change_no_answer(
    world: World, history: tuple[list[Entry], list[dict[str, Any]]], data: st.DataObject
) -> None:
    entries, rows = history
    world.empty()
    orders = [data.draw(st.permutations(entries)) for _ in world.pipes]
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(_put_one_by_one, world.pipes, orders))
    check(world, rows)


def _put_one_by_one(pipe: Pipe, entries: list[Entry]) -> None:
    for entry in entries:
        pipe.put(entry)
