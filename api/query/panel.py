"""One question on its way to its answer: what it asks to be counted, and what it makes of that."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.days_away import first_day_away
from api.query.comparisons import Labels, compared, earlier_range, partners
from api.query.days import whole_days
from api.query.finality import read_finality
from api.query.labels import time_labels
from api.query.parse import Query, parse
from api.query.ranges import ALL, Range, ends
from api.query.reading import Ask, Reading, Snapshot
from api.query.saved import Saved, read_saved
from api.query.scope import Scope, in_touched_days, visible
from api.query.shares import SEVERAL_CURRENCIES
from api.query.sums import Counted, Wanted
from api.query.table import Table, resolved, table_of, wanted
from api.query.values import values_in
from api.query.vocabulary import METRICS, Kind, Side
from api.query.wire import Answer, Asked, Comparisons, Meta, Pagination, Question
from api.sites import Site
from writer.tables import events, salt


class Sheet(msgspec.Struct, frozen=True):
    """The question over one range. ``query``: with plain lists of values; ``whole``: every row is
    wanted, in any order."""

    query: Query
    range: Range
    whole: bool

    def wanted(self) -> list[Wanted]:
        """What is to be counted."""
        return [Wanted(tally, cut) for tally, cut in wanted(self.query, self.whole)]

    def table(self, counted: Iterator[Counted]) -> Table:
        """From what was wanted, in its order."""
        own = [next(counted) for _ in self.wanted()]
        return table_of(self.query, own, self.whole)


class Panel(msgspec.Struct, frozen=True):
    """``sheets``: of the range asked about, and of the one that it is compared with, whose rows
    ``partners`` names. ``labels``: of the time buckets, where they are wanted."""

    found: Site
    question: Question
    query: Query
    saved: Saved
    reading: Reading
    sheets: Sequence[Sheet]
    now: datetime
    labels: list[str] | None
    partners: list[Labels]

    def asks(self) -> list[Ask]:
        """All that is to be counted."""
        return [
            Ask(self.reading, sheet.range, each) for sheet in self.sheets for each in sheet.wanted()
        ]

    async def answer(self, counted: Iterator[Counted]) -> Answer:
        """From what was asked, in its order."""
        # In a thread: many rows to put in order take long, and others are answered meanwhile.
        table, *others = await asyncio.to_thread(
            lambda: [sheet.table(counted) for sheet in self.sheets]
        )
        meta = await self._meta(table)
        if not others:
            return Answer(table.rows, meta, self._asked())
        rows = compared(self.query, table, others[0], self.partners)
        earlier = ends(self.sheets[1].query.range, self.found.zone)
        meta = msgspec.structs.replace(meta, comparison_date_range=earlier)
        return Answer(rows, meta, self._asked())

    async def _meta(self, table: Table) -> Meta:
        query, snapshot = self.query, self.reading.snapshot
        more: dict[str, Any] = {}
        if query.include.total_rows:
            more["total_rows"] = table.total
        if self.labels is not None:
            more["time_labels"] = self.labels
        if query.include.imports:
            more |= {"imports_included": False, "imports_skip_reason": "no_imported_data"}
        if table.several_currencies:
            in_money = (name for name in query.metrics if METRICS[name].money)
            more["metric_warnings"] = dict.fromkeys(in_money, SEVERAL_CURRENCIES)
        if self.saved.exclusions:
            more["exclusions"] = list(self.saved.exclusions)
        scope = Scope(self.found.site_id, snapshot.as_of.commit, query.range)
        if anew := await snapshot.once(scope, lambda: _read_salted_anew(snapshot.db, scope)):
            more["salted_anew"] = anew
        as_of = snapshot.as_of.commit
        final = await snapshot.once("final", lambda: read_finality(snapshot.db, as_of, self.now))
        if final.until is not None:
            more["final_until"] = final.until
            more["is_final"] = final.covers(query.range, self.found)
        if self.reading.missing_days:
            more["missing_days"] = self.reading.missing_days
        return Meta(snapshot.as_of.commit, self.reading.sources, **more)

    def _asked(self) -> Asked:
        query = self.query
        return Asked(
            site_id=self.found.key,
            metrics=list(query.metrics),
            date_range=ends(query.range, self.found.zone),
            dimensions=[dimension.name for dimension in query.dimensions],
            filters=self.question.filters,
            order_by=[(order.name, order.direction) for order in query.order],
            include=query.include,
            pagination=Pagination(query.limit, query.offset),
        )


async def open_panel(snapshot: Snapshot, found: Site, question: Question, now: datetime) -> Panel:
    """Reads what must be known before anything can be counted. Raises Refusal."""
    first_day = None
    if question.date_range == ALL:
        first_day = await snapshot.once(
            ("first day", found.site_id), lambda: _read_first_day(snapshot, found.site_id)
        )
    saved = await snapshot.once(
        ("saved", found.site_id), lambda: read_saved(snapshot.db, found.site_id)
    )
    query = parse(question, found.zone, now, first_day, saved)
    # Refused before anything is counted, and without the others of a batch.
    labels, named = _labels(query, found), list[Labels]()
    reading = Reading(snapshot, found.site_id)
    sheets = [await _open_sheet(reading, query, whole=False)]
    if isinstance(compare := query.include.comparisons, Comparisons):
        earlier = earlier_range(query.range, compare, found.zone, now)
        named = partners(query, earlier, found.zone)
        before = msgspec.structs.replace(query, range=earlier)
        sheets.append(await _open_sheet(reading, before, whole=True))
    return Panel(found, question, query, saved, reading, sheets, now, labels, named)


def _labels(query: Query, found: Site) -> list[str] | None:
    if not query.include.time_labels:
        return None
    time = next(d.name for d in query.dimensions if d.kind is Kind.TIME)
    return time_labels(time, query.range, found.zone)


async def tabulate(reading: Reading, query: Query, whole: bool = False) -> Table:
    """The rows of a query over its range. ``whole``: every row, in any order."""
    sheet = await _open_sheet(reading, query, whole)
    return sheet.table(iter(await reading.count_all(sheet.range, sheet.wanted())))


async def _open_sheet(reading: Reading, query: Query, whole: bool) -> Sheet:
    counted = await whole_days(reading.snapshot.db, reading.site_id, query.range)
    engaged = any(METRICS[name].side is Side.ENGAGEMENT for name in query.metrics)
    return Sheet(await resolved(values_in(reading, counted, engaged), query), counted, whole)


async def _read_first_day(snapshot: Snapshot, site_id: int) -> date | None:
    """The day of the site's first event, whatever it was, and wherever it is now."""
    first_row = (
        select(events.c.day)
        .where(events.c.site_id == site_id, visible(snapshot.as_of.commit))
        .order_by(events.c.ts)
        .limit(1)
    )
    firsts = (await snapshot.db.scalar(first_row), await first_day_away(snapshot.db, site_id))
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
