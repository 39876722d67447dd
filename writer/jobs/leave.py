"""Rows leave the database: archived → file. From then on the day's file is the record.

Only if the file holds just what the database holds, byte for byte as it was written, and nothing
may still replace a row of the day: no client id of its events is remembered. No commit: nothing
changes for the rollups, and an answer takes the file where it took the rows.

What takes long, rows and bytes, is looked at before the day is locked; under the lock, whether
anything has come since. Rows are deleted once the file is the record.
"""

import logging
from collections.abc import Iterator
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from psycopg import Connection
from psycopg.errors import LockNotAvailable

from shared.archive import DEFINITION
from writer.jobs.filed import FileOfDay, read_file_of
from writer.jobs.site_days import Looked, count_rows, delete_rows, look_at_day, mark
from writer.past_days import ARCHIVED, FILE

log = logging.getLogger("jobs")

_DUE = """
SELECT d.day FROM site_day d JOIN archive_file f USING (site_id, day)
WHERE d.site_id = %s AND d.state = 'archived' AND d.ends_at <= %s
  AND f.commit_no >= d.touched AND f.definition = %s
ORDER BY d.day
"""
_ROLLED = "SELECT commit_no FROM rollup_progress"
_MAY_CHANGE = """
SELECT EXISTS (
  SELECT FROM client_id WHERE site_id = %(site_id)s AND ts >= %(since)s AND ts < %(until)s
) OR EXISTS (
  SELECT FROM quarantine
  WHERE state = 'waiting' AND site_id = %(site_id)s AND day = %(day)s
)
"""


class Stays(StrEnum):
    """Why a day's rows stay; the next run looks again."""

    BUSY = "somebody is at it"
    NOT_ARCHIVED = "it is not archived"
    STALE = "its file does not hold what the database holds"
    MAY_CHANGE = "an event of it may still be replaced, or waits for it"
    FAULTY = "its file is missing, cut short or altered"


def leave_all(connection: Connection[Any], folder: Path, site_id: int, since: datetime) -> int:
    """Every day of a site that ended by ``since`` and can leave; returns how many rows left."""
    left = 0
    for day in _due(connection, site_id, since):
        became = leave(connection, folder, site_id, day)
        if isinstance(became, int):
            left += became
        elif became is Stays.FAULTY:
            log.error("rows of site %d, %s stay in the database: %s", site_id, day, became)
    return left


def leave(connection: Connection[Any], folder: Path, site_id: int, day: date) -> int | Stays:
    """One day, on an autocommit connection; returns how many rows left, or why none did."""
    looked, file = look_at_day(connection, site_id, day), read_file_of(connection, site_id, day)
    if looked is None or file is None or looked.each.state != ARCHIVED:
        return Stays.NOT_ARCHIVED
    try:
        stays = _why_it_stays(connection, folder, looked, file) or _hand_over(
            connection, looked, file
        )
    except LockNotAvailable:
        return Stays.BUSY
    if stays is not None:
        return stays
    left = delete_rows(connection, looked.each)
    log.info("%d rows of site %d, %s have left the database for the archive", left, site_id, day)
    return left


def _due(connection: Connection[Any], site_id: int, since: datetime) -> Iterator[date]:
    for (day,) in connection.execute(_DUE, (site_id, since, DEFINITION)).fetchall():
        yield day


def _why_it_stays(
    connection: Connection[Any], folder: Path, looked: Looked, file: FileOfDay
) -> Stays | None:
    rows = count_rows(connection, looked.each)
    rolled = connection.execute(_ROLLED).fetchone()
    is_whole = rows.standing == file.rows and rows.touched <= file.commit_no
    if not is_whole or file.definition != DEFINITION or (rolled or (0,))[0] < file.commit_no:
        return Stays.STALE
    if _may_change(connection, looked):
        return Stays.MAY_CHANGE
    return Stays.FAULTY if file.fault(folder) else None


def _hand_over(connection: Connection[Any], looked: Looked, file: FileOfDay) -> Stays | None:
    """Make the file the record, unless the day is another by now."""
    each = looked.each
    with connection.transaction():
        if not looked.stands(connection):
            return Stays.STALE
        if read_file_of(connection, each.site_id, each.day) != file:
            return Stays.STALE
        if _may_change(connection, looked):
            return Stays.MAY_CHANGE
        mark(connection, each, FILE)
    return None


def _may_change(connection: Connection[Any], looked: Looked) -> bool:
    return connection.execute(_MAY_CHANGE, looked.each.values()).fetchone() != (False,)
