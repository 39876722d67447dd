"""Questions answered: as of one settled commit, within one time limit."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import islice

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from api.query.archive import Archive
from api.query.archive_engine import TookTooLong
from api.query.panel import Panel, open_panel
from api.query.plan import ALL_SOURCES, Source
from api.query.reading import Snapshot, all_counted, count_asks, open_snapshot
from api.query.sums import Counted
from api.query.wire import Answer, Question
from api.sites import Site
from shared.errors import Code, Refusal


async def answer(
    db: AsyncConnection,
    found: Site,
    question: Question,
    now: datetime,
    timeout_s: float,
    archive: Archive | None = None,
    allowed: frozenset[Source] = ALL_SOURCES,
) -> Answer:
    """``db``: without a transaction. ``allowed``: for tests, which sources may be asked. Raises
    Refusal, also when the time limit passes."""
    async with snapshot_within(db, timeout_s, archive, allowed) as snapshot:
        panel = await open_panel(snapshot, found, question, now)
        return await panel.answer(iter(all_counted(await count_asks(snapshot, panel.asks()))))


async def answer_all(
    db: AsyncConnection,
    asked: Sequence[tuple[Site, Question]],
    now: datetime,
    timeout_s: float,
    archive: Archive | None = None,
) -> list[Answer | Refusal]:
    """All as of the same commit and within one time limit; what several choose alike is chosen
    once. A question that cannot be answered gets its own refusal. Raises Refusal when the time
    limit passes."""
    async with snapshot_within(db, timeout_s, archive, ALL_SOURCES) as snapshot:
        panels = [await _open(snapshot, found, question, now) for found, question in asked]
        asks = [ask for panel in panels if isinstance(panel, Panel) for ask in panel.asks()]
        counted = iter(await count_asks(snapshot, asks))
        return [p if isinstance(p, Refusal) else await _finish(p, counted) for p in panels]


async def _finish(panel: Panel, counted: Iterator[Counted | Refusal]) -> Answer | Refusal:
    own = list(islice(counted, len(panel.asks())))  # Taken whole: the next panel's come after.
    try:
        return await panel.answer(iter(all_counted(own)))
    except Refusal as refusal:
        return refusal


async def _open(
    snapshot: Snapshot, found: Site, question: Question, now: datetime
) -> Panel | Refusal:
    try:
        return await open_panel(snapshot, found, question, now)
    except Refusal as refusal:
        return refusal


@asynccontextmanager
async def snapshot_within(
    db: AsyncConnection, timeout_s: float, archive: Archive | None, allowed: frozenset[Source]
) -> AsyncIterator[Snapshot]:
    try:
        async with asyncio.timeout(timeout_s):
            yield await open_snapshot(db, timeout_s, allowed, archive)
    except (TimeoutError, TookTooLong):
        raise _timed_out(timeout_s) from None
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.errors.QueryCanceled):
            raise _timed_out(timeout_s) from None
        raise


def _timed_out(timeout_s: float) -> Refusal:
    return Refusal(
        Code.QUERY_TIMEOUT,
        f"the answer took over {timeout_s:g} s and was given up: ask for a shorter range, "
        "or for fewer dimensions at once",
    )
