"""Site-local days and hours, by Python and the locked tzdata alone."""

import zoneinfo
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from shared.clock import US_PER_HOUR, US_PER_SECOND

# The machine's own copy of tzdata may be of another year.
zoneinfo.reset_tzpath(to=())

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = date(1970, 1, 1)
_DAY = timedelta(days=1)
QUARTER_US = US_PER_HOUR // 4
"""Every zone's offset is a multiple of it, as far back as anything is stored."""


class ZoneChange(NamedTuple):
    """From ``starts_at`` (µs) on the site's days are those of ``zone``."""

    starts_at: int
    zone: str


class Day(NamedTuple):
    """A site-local day: days since 1970-01-01, and its half-open bounds in µs."""

    number: int
    starts_at: int
    ends_at: int


@cache
def zone(name: str) -> ZoneInfo:
    """The zone of a name. Raises ZoneInfoNotFoundError."""
    return ZoneInfo(name)


def day_of(zones: Sequence[ZoneChange], ts: int) -> Day:
    """The day that an instant belongs to under a site's history of zones.

    The last day before a change lasts until the change, so that no day is without an end.
    """
    index = _holding(zones, ts)
    tz = zone(zones[index].zone)
    day = moment(ts).astimezone(tz).date()
    upcoming = zones[index + 1] if index + 1 < len(zones) else None
    first_after = None
    if upcoming is not None:
        first_after = moment(upcoming.starts_at).astimezone(zone(upcoming.zone)).date()
        day = min(day, first_after - _DAY)
    starts_at, ends_at = day_start(tz, day), day_start(tz, day + _DAY)
    if upcoming is not None and (ends_at > upcoming.starts_at or day + _DAY == first_after):
        ends_at = upcoming.starts_at
    if index:
        starts_at = max(starts_at, zones[index].starts_at)
    return Day((day - _FIRST).days, starts_at, ends_at)


def hour_of(zones: Sequence[ZoneChange], ts: int) -> int:
    """The local hour, 0 to 23; an hour that DST repeats has one label."""
    return moment(ts).astimezone(zone(zones[_holding(zones, ts)].zone)).hour


def day_start(tz: ZoneInfo, day: date) -> int:
    """The first instant of a local day, in µs, also where DST skips its midnight."""
    midnight = datetime.combine(day, time(), tz)
    early, late = sorted((us(midnight), us(midnight.replace(fold=1))))
    if early == late or _date(tz, early) >= day:
        return early
    return _first_instant(tz, day, early, late)


def moment(at: int) -> datetime:
    """An instant in µs as a datetime of UTC."""
    return _EPOCH + timedelta(microseconds=at)


def us(at: datetime) -> int:
    """A datetime as µs since the epoch."""
    since = at.astimezone(UTC) - _EPOCH
    return (since.days * 86_400 + since.seconds) * US_PER_SECOND + since.microseconds


def as_date(number: int) -> date:
    """Days since 1970-01-01 as a date."""
    return _FIRST + number * _DAY


def day_number(day: date) -> int:
    """A date as days since 1970-01-01."""
    return (day - _FIRST).days


def _holding(zones: Sequence[ZoneChange], ts: int) -> int:
    index = len(zones) - 1
    while index and zones[index].starts_at > ts:
        index -= 1
    return index


def _first_instant(tz: ZoneInfo, day: date, early: int, late: int) -> int:
    """Midnight is skipped: look for the jump between two instants, to the second."""
    early, late = early // US_PER_SECOND, late // US_PER_SECOND
    while late - early > 1:
        middle = (early + late) // 2
        if _date(tz, middle * US_PER_SECOND) >= day:
            late = middle
        else:
            early = middle
    return late * US_PER_SECOND


def _date(tz: ZoneInfo, at: int) -> date:
    return moment(at).astimezone(tz).date()


class Hours:
    """Local hours, remembered by UTC hour wherever a zone's offset is whole hours then."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], int] = {}

    def at(self, site_id: int, zones: Sequence[ZoneChange], ts: int) -> int:
        """The local hour of an instant."""
        key = (site_id, ts // QUARTER_US)
        hour = self._known.get(key)
        if hour is None:
            if len(self._known) > 100_000:
                self._known.clear()
            hour = self._known[key] = hour_of(zones, ts)
        return hour

    def forget(self) -> None:
        """Some site's zone has changed."""
        self._known.clear()
