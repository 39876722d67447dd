"""Which day an event belongs to: set once in ``site_day``, and what stands there wins."""

from bisect import bisect_right, insort
from typing import Any

from psycopg import Connection

from writer.known.sites import Site
from writer.known.zones import Day, Hours, as_date, day_number, day_of, moment, us

_FIND = """
SELECT day, starts_at, ends_at FROM site_day
WHERE site_id = %s AND day BETWEEN %s AND %s ORDER BY day
"""
_PUT = """
INSERT INTO site_day (site_id, day, starts_at, ends_at) VALUES (%s, %s, %s, %s)
ON CONFLICT DO NOTHING
"""
_MOST_KNOWN = 200_000


class DayBook:
    """Days that are known to stand in the database, by site."""

    def __init__(self) -> None:
        self.hours = Hours()
        self._days: dict[int, list[Day]] = {}
        self._starts: dict[int, list[int]] = {}
        self._known = 0

    def find(self, site_id: int, ts: int) -> Day | None:
        """The day that covers an instant, if it is known here."""
        index = bisect_right(self._starts.get(site_id, ()), ts) - 1
        if index < 0:
            return None
        day = self._days[site_id][index]
        return day if ts < day.ends_at else None

    def settle(self, connection: Connection[Any], site: Site, ts: int) -> Day:
        """The day of an instant, written down if it was not. In autocommit: it holds at once."""
        known = self.find(site.site_id, ts)
        if known is not None:
            return known
        wanted = day_of(site.zones, ts)
        day = fit(wanted, ts, _neighbours(connection, site.site_id, wanted.number))
        if day.starts_at <= ts < day.ends_at:
            row = (site.site_id, as_date(day.number), moment(day.starts_at), moment(day.ends_at))
            connection.execute(_PUT, row)
            # Another writer may have been first, with other bounds.
            day = fit(wanted, ts, _neighbours(connection, site.site_id, wanted.number))
            self._remember(site.site_id, day, ts)
        return day

    def _remember(self, site_id: int, day: Day, ts: int) -> None:
        if not day.starts_at <= ts < day.ends_at or day in self._days.get(site_id, ()):
            return
        if self._known >= _MOST_KNOWN:
            self._days.clear()
            self._starts.clear()
            self._known = 0
        insort(self._days.setdefault(site_id, []), day, key=lambda known: known.starts_at)
        insort(self._starts.setdefault(site_id, []), day.starts_at)
        self._known += 1


def fit(wanted: Day, ts: int, standing: list[Day]) -> Day:
    """The wanted day beside those that stand already.

    A day that covers the instant is it. Else the new day gives way to its neighbours: it ends
    where the next begins, and takes the next free number. With no number left between two
    neighbours the instant belongs to the earlier one, whose bounds then do not cover it.
    """
    for day in standing:
        if day.starts_at <= ts < day.ends_at:
            return day
    before = max((day for day in standing if day.ends_at <= ts), default=None)
    after = min((day for day in standing if day.starts_at > ts), default=None)
    number, starts_at, ends_at = wanted
    if before is not None:
        number, starts_at = max(number, before.number + 1), max(starts_at, before.ends_at)
    if after is not None:
        number, ends_at = min(number, after.number - 1), min(ends_at, after.starts_at)
    if before is not None and number <= before.number:
        return before
    return Day(number, starts_at, ends_at)


def _neighbours(connection: Connection[Any], site_id: int, number: int) -> list[Day]:
    around = (site_id, as_date(number - 3), as_date(number + 3))
    rows = connection.execute(_FIND, around)
    return [Day(day_number(day), us(starts), us(ends)) for day, starts, ends in rows]
