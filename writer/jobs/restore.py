"""Rows come back: file → archived, for the days that events wait for.

In one transaction, and as of the commit that the file was written for: whatever looks at changes
between two commits, such as the rollups, sees none, and the file stays current until the event
that waits is stored. Then the day is archived anew, and leaves again when its time has come.
"""

import logging
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.errors import LockNotAvailable

from writer.archive.engine import Engine, open_engine
from writer.jobs.filed import FileOfDay, read_file_of
from writer.jobs.rows_of_file import empty_stage, put_staged, stage_rows
from writer.jobs.setting_up import job_settings
from writer.jobs.site_days import lock_day, mark
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
    with open_engine(folder, memory_mb) as engine:
        return sum(restore(connection, engine, folder, site_id, day) for site_id, day in due)


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
    staged = stage_rows(connection, engine, folder, file)
    if staged != file.rows:
        log.error("events of site %d, %s wait: its file holds other rows", site_id, day)
        return 0
    try:
        return _put_back(connection, file)
    except LockNotAvailable:
        return 0
    finally:
        empty_stage(connection)


def _put_back(connection: Connection[Any], file: FileOfDay) -> int:
    with connection.transaction():
        each = lock_day(connection, file.site_id, file.day)
        if each is None or each.state != FILE:
            return 0
        if read_file_of(connection, file.site_id, file.day) != file:
            return 0
        put = put_staged(connection)
        mark(connection, each, ARCHIVED)
    log.info("%d rows of site %d, %s are back from the archive", put, file.site_id, file.day)
    return put
