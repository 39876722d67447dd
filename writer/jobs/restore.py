"""Rows come back: file → archived, for the days that events wait for.

As of the commit that the file was written for: whatever looks at changes between two commits, such
as the rollups, sees none, and the file stays current until the event that waits is stored. Then the
day is archived anew, and leaves again when its time has come.

A piece at a time, while the state still says that the file is the record; a death leaves pieces,
which the next run finds there. The last transaction, a short one, changes the state.
"""

import logging
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import psycopg
from psycopg import Connection
from psycopg.errors import LockNotAvailable

from writer.archive.engine import Engine, open_engine
from writer.database.locks import Lock, trying
from writer.jobs.filed import FileOfDay, read_file_of
from writer.jobs.rows_of_file import put_rows
from writer.jobs.setting_up import job_settings
from writer.jobs.site_days import count_rows, delete_rows, lock_day, look_at_day, mark
from writer.past_days import ARCHIVED, FILE

log = logging.getLogger("jobs")

_DUE = """
SELECT DISTINCT q.site_id, q.day FROM quarantine q JOIN site_day d USING (site_id, day)
WHERE q.state = 'waiting' AND d.state = 'file' ORDER BY q.day, q.site_id
"""


def run() -> int:
    """Bring back what is waited for; returns how many rows came."""
    settings = job_settings()
    with psycopg.connect(settings.postgres_url, autocommit=True) as connection:
        return restore_all(connection, settings.archive_folder, settings.archive_memory_mb)


def restore_all(connection: Connection[Any], folder: Path, memory_mb: int = 256) -> int:
    """The same, on an autocommit connection."""
    due = connection.execute(_DUE).fetchall()
    if not due:
        return 0
    with trying(connection, Lock.ROWS) as is_mine:
        if not is_mine:
            return 0
        with open_engine(folder, memory_mb) as engine:
            return sum(_restore_or_tell(connection, engine, folder, *each) for each in due)


def _restore_or_tell(
    connection: Connection[Any], engine: Engine, folder: Path, site_id: int, day: date
) -> int:
    """One day that cannot be brought back holds up no other."""
    try:
        return restore(connection, engine, folder, site_id, day)
    except (duckdb.Error, OSError, psycopg.DataError) as error:
        log.error("events of site %d, %s wait: %s", site_id, day, type(error).__name__)
        return 0


def restore(
    connection: Connection[Any], engine: Engine, folder: Path, site_id: int, day: date
) -> int:
    """One day; returns how many rows came. What waits for a file that is not sound goes on
    waiting."""
    file = read_file_of(connection, site_id, day)
    fault = "without a record" if file is None else file.fault(folder)
    if file is None or fault is not None:
        log.error("events of site %d, %s wait: the day's file is %s", site_id, day, fault)
        return 0
    looked = look_at_day(connection, site_id, day)
    if looked is None or looked.each.state != FILE:
        return 0
    put_rows(connection, engine, folder, file)
    rows = count_rows(connection, looked.each)
    if rows.standing != file.rows or rows.touched > file.commit_no:
        log.error("events of site %d, %s wait: its file holds other rows", site_id, day)
        delete_rows(connection, looked.each)
        return 0
    try:
        return _hand_back(connection, file)
    except LockNotAvailable:
        return 0


def _hand_back(connection: Connection[Any], file: FileOfDay) -> int:
    """Make the rows the record; nobody but who holds the lock of rows has changed them."""
    with connection.transaction():
        each = lock_day(connection, file.site_id, file.day)
        if each is None or each.state != FILE:
            return 0
        if read_file_of(connection, file.site_id, file.day) != file:
            return 0
        mark(connection, each, ARCHIVED)
    log.info("%d rows of site %d, %s are back from the archive", file.rows, file.site_id, file.day)
    return file.rows
