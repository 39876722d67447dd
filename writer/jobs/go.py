"""Days go: their rows and files to *gone*, where the rollups remain, and those to *forgotten*.

A day whose rows the rollups have not counted is given another hour while their stage is at work;
else it is forgotten at once: rows go on time, and an answer says that it lacks the day rather than
be wrong.
"""

import logging
from datetime import date, datetime, timedelta
from typing import Any

from psycopg import Connection
from psycopg.errors import LockNotAvailable

from writer.jobs.filed import drop_record
from writer.jobs.site_days import SiteDay, count_rows, delete_rows, lock_day, look_at_day, mark
from writer.past_days import FORGOTTEN, GONE
from writer.rollups.put import drop_day

log = logging.getLogger("jobs")

_TO_GO = """
SELECT day FROM site_day
WHERE site_id = %s AND ends_at <= %s AND state NOT IN ('gone', 'forgotten') ORDER BY day
"""
_TO_FORGET = """
SELECT day FROM site_day
WHERE site_id = %s AND ends_at <= %s AND state = 'gone' ORDER BY day
"""
_ROLLED = "SELECT commit_no, looked_at FROM rollup_progress"
_AT_WORK = timedelta(hours=1)


def go_all(connection: Connection[Any], site_id: int, kept_since: datetime, now: datetime) -> int:
    """Every day of a site that ended by ``kept_since``; returns how many rows were deleted."""
    found = connection.execute(_TO_GO, (site_id, kept_since)).fetchall()
    return sum(go(connection, site_id, day, now) for (day,) in found)


def go(connection: Connection[Any], site_id: int, day: date, now: datetime) -> int:
    """One day, on an autocommit connection; returns how many rows were deleted."""
    looked = look_at_day(connection, site_id, day)
    state = _becomes(connection, looked.each, now) if looked else None
    if looked is None or state is None:
        return 0
    try:
        with connection.transaction():
            if not looked.stands(connection):
                return 0
            drop_record(connection, site_id, day)
            if state == FORGOTTEN:
                drop_day(connection, site_id, day)
            mark(connection, looked.each, state)
    except LockNotAvailable:
        return 0
    return delete_rows(connection, looked.each)


def forget_all(connection: Connection[Any], site_id: int, rolled_since: datetime) -> int:
    """Drop the rollups of every day that ended by ``rolled_since``; returns how many days went."""
    found = connection.execute(_TO_FORGET, (site_id, rolled_since)).fetchall()
    return sum(_forget(connection, site_id, day) for (day,) in found)


def _forget(connection: Connection[Any], site_id: int, day: date) -> int:
    try:
        with connection.transaction():
            each = lock_day(connection, site_id, day)
            if each is None or each.state != GONE:
                return 0
            drop_day(connection, site_id, day)
            mark(connection, each, FORGOTTEN)
            return 1
    except LockNotAvailable:
        return 0


def _becomes(connection: Connection[Any], each: SiteDay, now: datetime) -> str | None:
    """None: it stays for now."""
    if each.state in (GONE, FORGOTTEN):
        return None
    rolled, looked_at = connection.execute(_ROLLED).fetchone() or (0, None)
    if count_rows(connection, each).touched <= rolled:
        return GONE
    if looked_at is not None and looked_at > now - _AT_WORK:
        return None
    log.warning("site %d, %s goes before its rollups were made", each.site_id, each.day)
    return FORGOTTEN
