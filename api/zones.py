"""Time zones from the locked tzdata alone, whatever the machine has installed."""

import zoneinfo
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

zoneinfo.reset_tzpath(to=())

NAMES = frozenset(zoneinfo.available_timezones())

_DAY = timedelta(days=1)


def midnight(zone: ZoneInfo, day: date) -> datetime:
    """The instant at which the day begins, in UTC; where 0:00 is skipped, the first after it."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def takeover(old: ZoneInfo, new: ZoneInfo, now: datetime) -> datetime | None:
    """When a site's new zone begins to hold, in UTC: at a midnight of its own after ``now``
    at which no later day has begun in the old zone, so that days never run backwards.

    None where the new zone is more than a day behind: no such midnight comes.
    """
    today = now.astimezone(new).date()
    for offset in (1, 2, 3):
        day = today + offset * _DAY
        starts_at = midnight(new, day)
        if starts_at > now and starts_at.astimezone(old).date() <= day:
            return starts_at
    return None
