"""A question answered: as of one settled commit, within the time limit."""

from datetime import date, datetime
from typing import Any

import msgspec
import psycopg
from sqlalchemy import Row as SqlRow
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from api.query.fold import fold_case
from api.query.labels import label, time_labels
from api.query.parse import Query, parse
from api.query.plan import Plan, make_plan
from api.query.ranges import ALL, ends
from api.query.rows import TOTAL, select_answer, select_total
from api.query.scope import Scope, in_touched_days, visible
from api.query.vocabulary import Kind
from api.query.wire import Answer, Asked, Meta, Pagination, Question, Row
from api.sites import Site
from shared.errors import Code, Refusal
from writer.tables import events, salt


async def answer(
    db: AsyncConnection, found: Site, question: Question, now: datetime, timeout_s: float
) -> Answer:
    """Raises Refusal, also when the time limit passes."""
    # A table without statistics, new or of a database that has crashed, counts as nearly empty:
    # joining visits in nested loops then took half a minute for five thousand events.
    timeout = func.set_config("statement_timeout", f"{timeout_s * 1000:.0f}", True)
    await db.execute(select(timeout, func.set_config("enable_nestloop", "off", True)))
    try:
        return await _answer(db, found, question, now)
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.errors.QueryCanceled):
            raise _timed_out(timeout_s) from None
        raise


async def _answer(db: AsyncConnection, found: Site, question: Question, now: datetime) -> Answer:
    commit = int(await db.scalar(select(func.settled())) or 0)
    first_day = None
    if question.date_range == ALL:
        first_day = await _read_first_day(db, found.site_id, commit)
    query = parse(question, found.zone, now, first_day)
    scope = Scope(found.site_id, commit, query.range)
    query = msgspec.structs.replace(query, filters=await fold_case(db, scope, query.filters))
    rows, total = await _read_rows(db, scope, query, make_plan(query))
    results = [_shape(row, query) for row in rows]
    meta = _meta(found, query, commit, total)
    if anew := await _read_salted_anew(db, scope):
        meta = msgspec.structs.replace(meta, salted_anew=anew)
    return Answer(results, meta, _asked(found, question, query))


async def _read_first_day(db: AsyncConnection, site_id: int, commit: int) -> date | None:
    """The day of the site's first event, whatever it was."""
    return await db.scalar(
        select(events.c.day)
        .where(events.c.site_id == site_id, visible(commit))
        .order_by(events.c.ts)
        .limit(1)
    )


async def _read_rows(
    db: AsyncConnection, scope: Scope, query: Query, plan: Plan
) -> tuple[list[SqlRow[Any]], int]:
    """Rows, and how many there would be uncut."""
    rows = list(await db.execute(select_answer(scope, query, plan)))
    if rows:
        return rows, rows[0]._mapping[TOTAL]
    if not (query.offset and query.include.total_rows):
        return rows, 0
    return rows, int(await db.scalar(select_total(scope, query, plan)) or 0)


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


def _shape(row: SqlRow[Any], query: Query) -> Row:
    values = row._mapping
    metrics = [_number(name, values[name]) for name in query.metrics]
    dimensions = [
        label(values[f"d{index}"]) if dimension.kind is Kind.TIME else values[f"d{index}"]
        for index, dimension in enumerate(query.dimensions)
    ]
    return Row(metrics, dimensions)


def _number(metric: str, value: int) -> int | float:
    return value / 100 if metric == "views_per_visit" else value


def _meta(found: Site, query: Query, commit: int, total: int) -> Meta:
    meta = Meta(commit, ["rows"])
    if query.include.total_rows:
        meta = msgspec.structs.replace(meta, total_rows=total)
    if query.include.time_labels:
        time = next(d.name for d in query.dimensions if d.kind is Kind.TIME)
        labels = time_labels(time, query.range, found.zone)
        meta = msgspec.structs.replace(meta, time_labels=labels)
    return meta


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
