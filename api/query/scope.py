"""Which rows a query looks at: one site's, as of one commit, whole days around its range."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, ScalarSelect, and_, false, func, or_, select, true

from api.query.ranges import Days, Instants, Range
from shared.beacon import ENGAGEMENT
from writer.tables import events

SLACK = timedelta(days=3)
"""Longer than any site-local day, with its offset from UTC and a change of zone within it."""


class Scope(msgspec.Struct, frozen=True):
    """``commit``: a settled one. ``spans``: only these days of those that the range touches; None:
    all of them."""

    site_id: int
    commit: int
    range: Range
    spans: tuple[Days, ...] | None = None


def visible(commit: int) -> ColumnElement[bool]:
    """Whether a row was there as of a commit."""
    out = events.c.commit_out
    return and_(events.c.commit_in <= commit, or_(out.is_(None), out > commit))


def whole_days(scope: Scope, engaged: bool = False) -> ColumnElement[bool]:
    """The events that count, of every site-day that the range touches: visits are measured
    whole, and none goes past its day. The bounds on ``ts`` only spare chunks. ``engaged``:
    engagement too, which is no event."""
    column = events.c
    return and_(
        column.site_id == scope.site_id,
        _near(scope.range, column.ts),
        in_touched_days(scope, column.day),
        _in_spans(scope, column),
        visible(scope.commit),
        column.bot.is_(None),
        true() if engaged else column.name != ENGAGEMENT,
    )


def within(wanted: Range, ts: ColumnElement[datetime]) -> ColumnElement[bool]:
    """Whether an event of the touched days lies in the range itself."""
    if isinstance(wanted, Days):
        return true()
    return and_(ts >= wanted.since, ts < wanted.until)


def in_touched_days(scope: Scope, day: ColumnElement[date]) -> ColumnElement[bool]:
    """Whether a day is one that the range touches."""
    if isinstance(scope.range, Days):
        return day.between(scope.range.first, scope.range.last)
    return day.between(
        _outermost_day(func.min, scope.site_id, scope.range),
        _outermost_day(func.max, scope.site_id, scope.range),
    )


def _outermost_day(pick: Any, site_id: int, wanted: Instants) -> ScalarSelect[date]:
    """Found in the rows: only they know which zone each day was counted in."""
    inner = events.alias()
    return (
        select(pick(inner.c.day))
        .where(
            inner.c.site_id == site_id,
            inner.c.ts >= wanted.since,
            inner.c.ts < wanted.until,
        )
        .scalar_subquery()
    )


def _in_spans(scope: Scope, column: Any) -> ColumnElement[bool]:
    if scope.spans is None or scope.spans == (scope.range,):
        return true()
    near = [and_(_near(s, column.ts), column.day.between(s.first, s.last)) for s in scope.spans]
    return or_(false(), *near)


def _near(wanted: Range, ts: ColumnElement[datetime]) -> ColumnElement[bool]:
    since, until = _bounds(wanted)
    return and_(ts >= since, ts < until)


def span(wanted: Range) -> Days:
    """Every day that the range can touch, whatever the site's zone."""
    if isinstance(wanted, Days):
        return wanted
    return Days((wanted.since - SLACK).date(), (wanted.until + SLACK).date())


def _bounds(wanted: Range) -> tuple[datetime, datetime]:
    if isinstance(wanted, Days):
        return _noon(wanted.first) - SLACK, _noon(wanted.last) + SLACK
    return wanted.since - SLACK, wanted.until + SLACK


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)
