"""The buckets of time that events count in, by their site-local day and hour."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import CTE, ColumnElement, Date, DateTime, Interval, cast, func, literal

_ONE_HOUR = timedelta(hours=1)


def bucket(rows: CTE, unit: str) -> ColumnElement[Any]:
    """A timestamp without zone for hours, else a date; ``labels`` says how it is written."""
    return _BUCKETS[unit](rows)


def _hour(chosen: CTE) -> ColumnElement[Any]:
    day = cast(chosen.c.day, DateTime)
    return day + chosen.c.hour * literal(_ONE_HOUR, Interval)


def _truncated(unit: str) -> Callable[[CTE], ColumnElement[Any]]:
    def bucket(chosen: CTE) -> ColumnElement[Any]:
        return cast(func.date_trunc(unit, cast(chosen.c.day, DateTime)), Date)

    return bucket


def _day(chosen: CTE) -> ColumnElement[Any]:
    return chosen.c.day


_BUCKETS: dict[str, Callable[[CTE], ColumnElement[Any]]] = {
    "hour": _hour,
    "day": _day,
    "week": _truncated("week"),
    "month": _truncated("month"),
}
