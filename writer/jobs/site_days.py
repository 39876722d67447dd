"""What the jobs that move site-days along share: a day under its lock, and its rows.

open → archived (a file beside the rows) → file (the file is the record) → gone (rollups alone)
→ forgotten (nothing). Whoever moves a day holds its row's lock, and writers hold it while events
come into a past day, so that the two never meet.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from psycopg import Connection
from psycopg.rows import class_row

SLACK = timedelta(days=3)
"""An instant between two days with no number left belongs to the earlier, outside its bounds."""

# Asked for again at the next run: whoever holds it is not made to wait, nor the live feed.
_BE_QUICK = "SET LOCAL lock_timeout = '2s'"
_LOCK = """
SELECT site_id, day, starts_at, ends_at, state FROM site_day
WHERE site_id = %s AND day = %s FOR UPDATE
"""
_MARK = "UPDATE site_day SET state = %s WHERE site_id = %s AND day = %s"
_COUNT = """
SELECT count(*) FILTER (WHERE commit_out IS NULL),
  coalesce(greatest(max(commit_in), max(commit_out)), 0)
FROM events
WHERE site_id = %(site_id)s AND day = %(day)s AND ts >= %(since)s AND ts < %(until)s
"""
_DELETE = """
DELETE FROM events
WHERE site_id = %(site_id)s AND day = %(day)s AND ts >= %(since)s AND ts < %(until)s
"""


class SiteDay(NamedTuple):
    """A site-day whose lock is held."""

    site_id: int
    day: date
    starts_at: datetime
    ends_at: datetime
    state: str

    def values(self) -> Mapping[str, object]:
        """What finds its rows."""
        return {
            "site_id": self.site_id,
            "day": self.day,
            "since": self.starts_at - SLACK,
            "until": self.ends_at + SLACK,
        }


class Rows(NamedTuple):
    """``standing``: rows that no other has replaced. ``touched``: the last commit that put a row
    there or replaced one."""

    standing: int
    touched: int


def lock_day(connection: Connection[Any], site_id: int, day: date) -> SiteDay | None:
    """In a transaction that is open: nobody else moves the day until it ends, nor puts an event
    into it once it is past. Raises LockNotAvailable where somebody is at it."""
    connection.execute(_BE_QUICK)
    with connection.cursor(row_factory=class_row(SiteDay)) as cursor:
        return cursor.execute(_LOCK, (site_id, day)).fetchone()


def count_rows(connection: Connection[Any], each: SiteDay) -> Rows:
    """What stands in the database of a day."""
    row = connection.execute(_COUNT, each.values()).fetchone()
    return Rows(*row) if row else Rows(0, 0)


def delete_rows(connection: Connection[Any], each: SiteDay) -> int:
    """All rows of a day; returns how many."""
    return connection.execute(_DELETE, each.values()).rowcount


def mark(connection: Connection[Any], each: SiteDay, state: str) -> None:
    """The day's next state."""
    connection.execute(_MARK, (state, each.site_id, each.day))
