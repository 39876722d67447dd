"""The buckets of time that events count in, by their site-local day and hour."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Date, DateTime, FromClause, Interval, cast, func, literal

_ONE_HOUR = timedelta(hours=1)


def bucket(rows: FromClause, unit: str) -> ColumnElement[Any]:
    """A timestamp without zone for hours, else a date; ``labels`` says how it is written."""
    return _BUCKETS[unit](rows)


def _hour(chosen: FromClause) -> ColumnElement[Any]:
    day = cast(chosen.c.day, DateTime)
    return day + chosen.c.hour * literal(_ONE_HOUR, Interval)


def _truncated(unit: str) -> Callable[[FromClause], ColumnElement[Any]]:
    def bucket(chosen: FromClause) -> ColumnElement[Any]:
        return cast(func.date_trunc(unit, cast(chosen.c.day, DateTime)), Date)

    return bucket


def _day(chosen: FromClause) -> ColumnElement[Any]:
    return chosen.c.day


_BUCKETS: dict[str, Callable[[FromClause], ColumnElement[Any]]] = {
    "hour": _hour,
    "day": _day,
    "week": _truncated("week"),
    "month": _truncated("month"),
}
