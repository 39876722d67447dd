"""From ``date_range`` to days of the site's own or to instants."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from api.zones import midnight
from shared.errors import Code, Refusal

ALL = "all"
LAST_24_HOURS = "24h"
NAMES = ("day", LAST_24_HOURS, "7d", "28d", "30d", "91d", "month", "6mo", "12mo", "year", ALL)
MAX_LAST = {"d": 5_000, "mo": 100}

FIRST_YEAR, LAST_YEAR = 1971, 2199

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_LAST = re.compile(r"([1-9]\d{0,3})(d|mo)", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)", re.ASCII)


class Days(msgspec.Struct, frozen=True):
    """Whole site-local days, both ends included."""

    first: date
    last: date


class Instants(msgspec.Struct, frozen=True):
    """``since`` included, ``until`` not; both in UTC."""

    since: datetime
    until: datetime


Range = Days | Instants


def read_range(
    wanted: str | Sequence[str], zone: ZoneInfo, now: datetime, first_day: date | None
) -> Range:
    """``first_day``: that of the site's first event, for ``all``. Raises Refusal."""
    if isinstance(wanted, str):
        if wanted == LAST_24_HOURS:
            return Instants(now - _DAY, now)
        return _named(wanted, now.astimezone(zone).date(), first_day)
    if len(wanted) != 2:
        raise bad_range("`date_range` has two ends")
    if all(_DATE.fullmatch(end) for end in wanted):
        return _days(_date(wanted[0]), _date(wanted[1]))
    if all(_INSTANT.fullmatch(end) for end in wanted):
        return _instants(_instant(wanted[0]), _instant(wanted[1]))
    raise bad_range(
        "write both ends as 2024-01-31, or both as 2024-01-31T12:00:00+02:00 with their offset"
    )


def resolve_time(wanted: Range) -> str:
    """The time dimension that ``time`` stands for in this range."""
    length = _length(wanted)
    if length <= 2 * _DAY:
        return "time:hour"
    if length <= 40 * _DAY:
        return "time:day"
    return "time:week" if length <= 52 * 7 * _DAY else "time:month"


def ends(wanted: Range, zone: ZoneInfo) -> list[str]:
    """First and last second of the range, with the site's offset."""
    if isinstance(wanted, Days):
        since, until = midnight(zone, wanted.first), midnight(zone, wanted.last + _DAY)
    else:
        since, until = wanted.since, wanted.until
    last = max(until - _SECOND, since)
    return [moment.astimezone(zone).isoformat(timespec="seconds") for moment in (since, last)]


def bad_range(message: str) -> Refusal:
    """A refusal of this field."""
    return Refusal(Code.BAD_QUERY, message, field="date_range")


def _named(name: str, today: date, first_day: date | None) -> Days:
    month = today.replace(day=1)
    if last := _LAST.fullmatch(name):
        return _last(int(last[1]), last[2], today, name)
    if name == "day":
        return Days(today, today)
    if name == "month":
        return Days(month, _months_before(month, -1) - _DAY)
    if name == "year":
        return Days(date(today.year, 1, 1), date(today.year, 12, 31))
    if name == ALL:
        return Days(min(first_day or today, today), today)
    raise bad_range(f"`date_range` {name[:40]!r} is none of {', '.join(NAMES)}")


def _last(count: int, unit: str, today: date, name: str) -> Days:
    """Whole days or months before the one that has begun."""
    if count > MAX_LAST[unit]:
        raise bad_range(f"`date_range` {name!r} is over {MAX_LAST[unit]}{unit}")
    if unit == "d":
        return Days(today - count * _DAY, today - _DAY)
    month = today.replace(day=1)
    return Days(_months_before(month, count), month - _DAY)


def _months_before(month: date, count: int) -> date:
    index = month.year * 12 + month.month - 1 - count
    return date(index // 12, index % 12 + 1, 1)


def _days(first: date, last: date) -> Days:
    if last < first:
        raise bad_range("`date_range` ends before it begins")
    return Days(first, last)


def _instants(since: datetime, last: datetime) -> Instants:
    if last < since:
        raise bad_range("`date_range` ends before it begins")
    return Instants(since, last.replace(microsecond=0) + _SECOND)


def _date(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise bad_range(f"there is no day {text}") from None
    return _checked_year(day, text)


def _instant(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise bad_range(f"there is no instant {text}") from None
    _checked_year(moment.date(), text)
    return moment


def _checked_year(day: date, text: str) -> date:
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise bad_range(f"{text} is outside {FIRST_YEAR} to {LAST_YEAR}")
    return day


def _length(wanted: Range) -> timedelta:
    if isinstance(wanted, Days):
        return wanted.last - wanted.first + _DAY
    return wanted.until - wanted.since
