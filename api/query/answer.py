"""A question answered: as of one settled commit, within the time limit."""

from datetime import date, datetime
from typing import Any

import msgspec
import psycopg
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from api.days_away import first_day_away
from api.query.comparisons import compared, earlier_range, partners
from api.query.days import whole_days
from api.query.fold import values_of_rows
from api.query.labels import time_labels
from api.query.parse import Query, parse
from api.query.plan import ALL_SOURCES, Source
from api.query.ranges import ALL, ends
from api.query.reading import Reading, Snapshot, Wanted, open_snapshot
from api.query.saved import Saved, read_saved
from api.query.scope import Scope, in_touched_days, visible
from api.query.shares import SEVERAL_CURRENCIES
from api.query.table import Table, resolved, table_of, wanted
from api.query.vocabulary import METRICS, Kind
from api.query.wire import Answer, Asked, Comparisons, Meta, Pagination, Question
from api.sites import Site
from shared.errors import Code, Refusal
from writer.tables import events, salt


async def answer(
    db: AsyncConnection,
    found: Site,
    question: Question,
    now: datetime,
    timeout_s: float,
    allowed: frozenset[Source] = ALL_SOURCES,
) -> Answer:
    """``allowed``: for tests, which sources may be asked. Raises Refusal, also when the time limit
    passes."""
    try:
        snapshot = await open_snapshot(db, timeout_s, allowed)
        return await _answer(snapshot, found, question, now)
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.errors.QueryCanceled):
            raise _timed_out(timeout_s) from None
        raise


async def _answer(snapshot: Snapshot, found: Site, question: Question, now: datetime) -> Answer:
    db, commit = snapshot.db, snapshot.as_of.commit
    reading = Reading(snapshot, found.site_id)
    first_day = None
    if question.date_range == ALL:
        first_day = await _read_first_day(db, found.site_id, commit)
    saved = await read_saved(db, found.site_id)
    query = parse(question, found.zone, now, first_day, saved)
    table = await tabulate(reading, query)
    results = table.rows
    more: dict[str, Any] = {}
    if isinstance(compare := query.include.comparisons, Comparisons):
        earlier = earlier_range(query.range, compare, found.zone, now)
        before = msgspec.structs.replace(query, range=earlier)
        other = await tabulate(reading, before, whole=True)
        results = compared(query, table, other, partners(query, earlier, found.zone))
        more["comparison_date_range"] = ends(earlier, found.zone)
    if anew := await _read_salted_anew(db, Scope(found.site_id, commit, query.range)):
        more["salted_anew"] = anew
    if reading.missing_days:
        more["missing_days"] = reading.missing_days
    meta = msgspec.structs.replace(_meta(found, query, reading, table, saved), **more)
    return Answer(results, meta, _asked(found, question, query))


async def tabulate(reading: Reading, query: Query, whole: bool = False) -> Table:
    """The rows of a query over its range."""
    db = reading.snapshot.db
    counted_range = await whole_days(db, reading.site_id, query.range)
    plain = await resolved(values_of_rows(db, reading.scope(counted_range)), query)
    asked = [Wanted(tally, cut) for tally, cut in wanted(plain, whole)]
    return table_of(plain, await reading.count_all(counted_range, asked), whole)


async def _read_first_day(db: AsyncConnection, site_id: int, commit: int) -> date | None:
    """The day of the site's first event, whatever it was, and wherever it is now."""
    first_row = (
        select(events.c.day)
        .where(events.c.site_id == site_id, visible(commit))
        .order_by(events.c.ts)
        .limit(1)
    )
    firsts = (await db.scalar(first_row), await first_day_away(db, site_id))
    return min((day for day in firsts if day is not None), default=None)


async def _read_salted_anew(db: AsyncConnection, scope: Scope) -> list[str]:
    """Days whose visitors were hashed with more than one salt, one after the other."""
    column = salt.c
    asked = (
        select(column.day)
        .distinct()
        .where(
            column.site_id == scope.site_id,
            column.generation > 1,
            in_touched_days(scope, column.day),
        )
        .order_by(column.day)
    )
    return [day.isoformat() for day in await db.scalars(asked)]


def _meta(found: Site, query: Query, reading: Reading, table: Table, saved: Saved) -> Meta:
    meta = Meta(reading.snapshot.as_of.commit, reading.sources)
    more: dict[str, Any] = {}
    if query.include.total_rows:
        more["total_rows"] = table.total
    if query.include.time_labels:
        time = next(d.name for d in query.dimensions if d.kind is Kind.TIME)
        more["time_labels"] = time_labels(time, query.range, found.zone)
    if query.include.imports:
        more |= {"imports_included": False, "imports_skip_reason": "no_imported_data"}
    if table.several_currencies:
        in_money = (name for name in query.metrics if METRICS[name].money)
        more["metric_warnings"] = dict.fromkeys(in_money, SEVERAL_CURRENCIES)
    if saved.exclusions:
        more["exclusions"] = list(saved.exclusions)
    return msgspec.structs.replace(meta, **more)


def _asked(found: Site, question: Question, query: Query) -> Asked:
    return Asked(
        site_id=found.key,
        metrics=list(query.metrics),
        date_range=ends(query.range, found.zone),
        dimensions=[dimension.name for dimension in query.dimensions],
        filters=question.filters,
        order_by=[(order.name, order.direction) for order in query.order],
        include=query.include,
        pagination=Pagination(query.limit, query.offset),
    )


def _timed_out(timeout_s: float) -> Refusal:
    return Refusal(
        Code.QUERY_TIMEOUT,
        f"the answer took over {timeout_s:g} s and was given up: ask for a shorter range, "
        "or for fewer dimensions at once",
    )
