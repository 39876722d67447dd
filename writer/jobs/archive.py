"""Keeps the archive: closed site-days as files, checked now and then."""

import logging
from datetime import UTC, datetime

from writer.archive.work import Busy, keep, sweep_up
from writer.database.connection import connect
from writer.jobs.setting_up import job_settings

log = logging.getLogger("jobs")

_ANSWER_S = 120.0
"""A snapshot of a large day is long in coming."""


def run() -> int:
    """Write what is due, and delete what nothing names; returns how many files were written."""
    settings = job_settings()
    with connect(settings.postgres_url, autocommit=True, answer_s=_ANSWER_S) as connection:
        folder, memory_mb = settings.archive_folder, settings.archive_memory_mb
        try:
            if not settings.archive:
                # What has been written still leaves with its day.
                sweep_up(connection, folder)
                return 0
            return keep(connection, folder, memory_mb, datetime.now(UTC))
        except Busy:
            log.info("somebody else writes the archive now")
            return 0
