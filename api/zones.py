"""Time zones from the locked tzdata alone, whatever the machine has installed."""

import zoneinfo
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

zoneinfo.reset_tzpath(to=())

NAMES = frozenset(zoneinfo.available_timezones())

MARGIN = timedelta(minutes=10)
"""Events may be some minutes ahead of the clock: they must not have begun that day already."""

_DAY = timedelta(days=1)


def midnight(zone: ZoneInfo, day: date) -> datetime:
    """The instant at which the day begins, in UTC; where 0:00 is skipped, the first after it."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def takeover(old: ZoneInfo, new: ZoneInfo, now: datetime) -> datetime:
    """When a site's new zone begins to hold, in UTC: at its first midnight that begins a later
    day than any begun in the old zone. The old zone's last day lasts until then."""
    soon = now + MARGIN
    begun = soon.astimezone(old).date()
    day = max(begun, soon.astimezone(new).date()) + _DAY
    return midnight(new, day)
