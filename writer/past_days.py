"""What becomes of events of days whose rows have left the database, decided as they are stored.

The day's lock is held until the commit, so that no rows leave a day while an event comes into it.
It is never waited for: while a job moves a day's rows, an event of that day waits beside.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from psycopg import Cursor

from shared.clock import US_PER_DAY, US_PER_HOUR
from writer.draft import Dropped
from writer.encode import Row
from writer.enrich.pipeline import Left
from writer.enrich.retention import REASON
from writer.known.zones import as_date, day_number

ARCHIVED, FILE, GONE, FORGOTTEN = "archived", "file", "gone", "forgotten"
"""States of a site-day that is open no more: rows and a file; the file is the record; rollups
alone; nothing."""

_IS_PAST_US = US_PER_DAY + 8 * US_PER_HOUR
"""Rows leave a day at the earliest 24 h after its end, which comes at the earliest 14 h before that
of UTC: until this long after the day's beginning in UTC nobody need look."""
_LOCK = """
SELECT d.site_id, d.day, d.state
FROM unnest(%s::int4[], %s::date[]) AS asked (site_id, day)
JOIN site_day d USING (site_id, day)
FOR KEY SHARE OF d SKIP LOCKED
"""

SiteDay = tuple[int, int]
"""Site and day's number."""


class Parted(NamedTuple):
    """Site-days that take no rows. ``late``: their events wait until they do. ``lost``: nothing of
    an event that comes for them is kept."""

    late: frozenset[SiteDay] = frozenset()
    lost: frozenset[SiteDay] = frozenset()


def part_days(cursor: Cursor[Any], rows: Sequence[Row], now: int) -> Parted:
    """Of the days of some rows those that take none, in the caller's transaction."""
    ended = (now - _IS_PAST_US) // US_PER_DAY
    if all(row.draft.when.day > ended for row in rows):
        return Parted()
    asked = sorted({_site_day(row) for row in rows if row.draft.when.day <= ended})
    sites, days = [site for site, _ in asked], [as_date(day) for _, day in asked]
    found = {
        (site, day_number(day)): state for site, day, state in cursor.execute(_LOCK, (sites, days))
    }
    return Parted(
        frozenset(one for one in asked if found.get(one, FILE) == FILE),
        frozenset(one for one in asked if found.get(one) in (GONE, FORGOTTEN)),
    )


def part_rows(rows: Iterable[Row], parted: Parted) -> tuple[list[Row], list[Row], list[Left]]:
    """Rows to store, rows to wait, and events to drop."""
    stay, late, lost = list[Row](), list[Row](), list[Left]()
    for row in rows:
        one = _site_day(row)
        if one in parted.late:
            late.append(row)
        elif one in parted.lost:
            lost.append(Left(row.draft, Dropped(REASON)))
        else:
            stay.append(row)
    return stay, late, lost


def _site_day(row: Row) -> SiteDay:
    return row.draft.site_id, row.draft.when.day
