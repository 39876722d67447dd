"""A question answered: as of one settled commit, within the time limit."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

import msgspec
import psycopg
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from api.query.fold import fold_case
from api.query.labels import label, time_labels
from api.query.measures import MEASURES
from api.query.ordering import cut_by_source, in_order, named
from api.query.parse import Query, parse
from api.query.plan import ALL_SOURCES, Part, Source, split
from api.query.ranges import ALL, ends
from api.query.rows import count_rows
from api.query.scope import Scope, in_touched_days, span, visible
from api.query.sums import Counted, Cut, Key, Tally, merge
from api.query.vocabulary import Kind
from api.query.wire import Answer, Asked, Meta, Pagination, Question, Row
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
    # A table without statistics, new or of a database that has crashed, counts as nearly empty:
    # joining visits in nested loops then took half a minute for five thousand events.
    timeout = func.set_config("statement_timeout", f"{timeout_s * 1000:.0f}", True)
    await db.execute(select(timeout, func.set_config("enable_nestloop", "off", True)))
    try:
        return await _answer(db, found, question, now, allowed)
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.errors.QueryCanceled):
            raise _timed_out(timeout_s) from None
        raise


async def _answer(
    db: AsyncConnection,
    found: Site,
    question: Question,
    now: datetime,
    allowed: frozenset[Source],
) -> Answer:
    commit = int(await db.scalar(select(func.settled())) or 0)
    first_day = None
    if question.date_range == ALL:
        first_day = await _read_first_day(db, found.site_id, commit)
    query = parse(question, found.zone, now, first_day)
    scope = Scope(found.site_id, commit, query.range)
    query = msgspec.structs.replace(query, filters=await fold_case(db, scope, query.filters))
    tally = _tally(query)
    parts = split(span(query.range), (), allowed)
    counted = await _count(db, scope, tally, parts, cut_by_source(query))
    groups = counted.groups
    if counted.total is None:
        counted = Counted(in_order(query, tally, groups), len(groups))
    results = [_shape(key, named(tally, sums), query) for key, sums in counted.groups.items()]
    meta = _meta(found, query, commit, parts, counted.total or 0)
    if anew := await _read_salted_anew(db, scope):
        meta = msgspec.structs.replace(meta, salted_anew=anew)
    return Answer(results, meta, _asked(found, question, query))


async def _count(
    db: AsyncConnection, scope: Scope, tally: Tally, parts: Sequence[Part], cut: Cut | None
) -> Counted:
    """Uncut where several sources count."""
    scopes = [msgspec.structs.replace(scope, spans=part.spans) for part in parts]
    if len(scopes) == 1:
        return await count_rows(db, scopes[0], tally, cut)
    return Counted(merge([(await count_rows(db, each, tally, None)).groups for each in scopes]))


def _tally(query: Query) -> Tally:
    sums = dict.fromkeys(name for metric in query.metrics for name in MEASURES[metric].sums)
    return Tally(query.dimensions, query.filters, tuple(sums))


async def _read_first_day(db: AsyncConnection, site_id: int, commit: int) -> date | None:
    """The day of the site's first event, whatever it was."""
    return await db.scalar(
        select(events.c.day)
        .where(events.c.site_id == site_id, visible(commit))
        .order_by(events.c.ts)
        .limit(1)
    )


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


def _shape(key: Key, sums: Mapping[str, int], query: Query) -> Row:
    metrics = [MEASURES[name](sums) for name in query.metrics]
    dimensions = [
        label(value) if dimension.kind is Kind.TIME else value
        for value, dimension in zip(key, query.dimensions, strict=True)
    ]
    return Row(metrics, dimensions)


def _meta(found: Site, query: Query, commit: int, parts: Sequence[Part], total: int) -> Meta:
    meta = Meta(commit, [part.source.value for part in parts])
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
