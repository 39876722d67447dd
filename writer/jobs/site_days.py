"""What the jobs that move site-days along share: a day under its lock, and its rows.

open → archived (a file beside the rows) → file (the file is the record) → gone (rollups alone)
→ forgotten (nothing). Whoever moves a day holds its row's lock, and writers hold it while events
come into a past day, so that the two never meet.

Under that lock only the state changes, at once. Rows come and go a piece at a time, each piece in a
short transaction, while the state says that they are away: so nobody counts them, and no commit
waits long to be settled, which answers and the live feed would wait for.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from psycopg import Connection
from psycopg.rows import class_row

from writer.archive.rows import Wanted, is_touched_since

SLACK = timedelta(days=3)
"""An instant between two days with no number left belongs to the earlier, outside its bounds."""

# Asked for again at the next run: whoever holds it is not made to wait, nor the live feed.
_BE_QUICK = "SET LOCAL lock_timeout = '2s'"
_SEE = """
SELECT site_id, day, starts_at, ends_at, state FROM site_day
WHERE site_id = %s AND day = %s
"""
_LOCK = _SEE + " FOR UPDATE"
_SETTLED = "SELECT settled()"
_MARK = "UPDATE site_day SET state = %s WHERE site_id = %s AND day = %s"
_COUNT = """
SELECT count(*) FILTER (WHERE commit_out IS NULL),
  coalesce(greatest(max(commit_in), max(commit_out)), 0)
FROM events
WHERE site_id = %(site_id)s AND day = %(day)s AND ts >= %(since)s AND ts < %(until)s
"""
_PIECE = 20_000
_PIECE_ENDS = """
SELECT ts FROM events
WHERE site_id = %(site_id)s AND day = %(day)s AND ts >= %(since)s AND ts < %(until)s
ORDER BY ts OFFSET %(piece)s LIMIT 1
"""
_DELETE = """
DELETE FROM events
WHERE site_id = %(site_id)s AND day = %(day)s AND ts >= %(since)s AND ts < %(until)s
"""
_LEFT_BEHIND = """
SELECT d.site_id, d.day, d.starts_at, d.ends_at, d.state FROM site_day d
WHERE d.site_id = %s AND d.state NOT IN ('open', 'archived')
  AND EXISTS (
    SELECT FROM events e
    WHERE e.site_id = d.site_id AND e.day = d.day AND e.ts >= d.starts_at AND e.ts < d.ends_at
  ) AND NOT EXISTS (
    SELECT FROM quarantine q
    WHERE q.state = 'waiting' AND q.site_id = d.site_id AND q.day = d.day AND d.state = 'file'
  )
ORDER BY d.day
"""
_INSTANT = timedelta(microseconds=1)


class SiteDay(NamedTuple):
    """A site-day as it was seen."""

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


class Looked(NamedTuple):
    """A day that was looked at without a lock, and the commit up to which all of it was seen."""

    each: SiteDay
    settled: int

    def stands(self, connection: Connection[Any]) -> bool:
        """Lock the day: whether it is still what was seen, and has no other rows. Raises
        LockNotAvailable."""
        if lock_day(connection, self.each.site_id, self.each.day) != self.each:
            return False
        each = self.each
        since = Wanted(each.site_id, each.day, each.starts_at, each.ends_at, self.settled)
        return not is_touched_since(connection, since)


def look_at_day(connection: Connection[Any], site_id: int, day: date) -> Looked | None:
    """Before its rows are counted, on an autocommit connection."""
    settled = connection.execute(_SETTLED).fetchone()
    with connection.cursor(row_factory=class_row(SiteDay)) as cursor:
        each = cursor.execute(_SEE, (site_id, day)).fetchone()
    return Looked(each, settled[0] if settled else 0) if each else None


def delete_rows(connection: Connection[Any], each: SiteDay) -> int:
    """All rows of a day whose state says that they are away, on an autocommit connection; returns
    how many. What a death leaves, `clear_left_behind` finds by the day's bounds: so what is
    outside of them goes first."""
    outside = [(each.starts_at - SLACK, each.starts_at), (each.ends_at, each.ends_at + SLACK)]
    return sum(
        delete_piece(connection, each, *piece)
        for span in (*outside, (each.starts_at, each.ends_at))
        for piece in _pieces(connection, each, *span)
    )


def _pieces(
    connection: Connection[Any], each: SiteDay, since: datetime, until: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """Spans of so many rows, or of those of one instant."""
    while since < until:
        values = {**each.values(), "since": since, "until": until, "piece": _PIECE}
        row = connection.execute(_PIECE_ENDS, values).fetchone()
        ends = max(row[0], since + _INSTANT) if row else until
        yield since, ends
        since = ends


def delete_piece(
    connection: Connection[Any], each: SiteDay, since: datetime, until: datetime
) -> int:
    """Some rows, in a short transaction."""
    values = {**each.values(), "since": since, "until": until}
    return connection.execute(_DELETE, values).rowcount


def clear_left_behind(connection: Connection[Any], site_id: int) -> int:
    """Rows that a death left of days whose rows are away; returns how many. Those of a day that is
    waited for are on their way back."""
    with connection.cursor(row_factory=class_row(SiteDay)) as cursor:
        found = cursor.execute(_LEFT_BEHIND, (site_id,)).fetchall()
    return sum(delete_rows(connection, each) for each in found)


def mark(connection: Connection[Any], each: SiteDay, state: str) -> None:
    """The day's next state."""
    connection.execute(_MARK, (state, each.site_id, each.day))
