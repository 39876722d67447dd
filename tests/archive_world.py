"""What the archive's tests share: site-days that are closed and rolled up, in a word."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection

from writer.archive.record import Filed, read_filed
from writer.archive.work import ALL_DAYS, write_due

LONG_AFTER = datetime(2030, 1, 1, tzinfo=UTC)
MEMORY_MB = 256

DAYS = """
INSERT INTO site_day (site_id, day, starts_at, ends_at)
SELECT site_id, day, min(ts), max(ts) + interval '1 microsecond' FROM events
GROUP BY site_id, day ON CONFLICT DO NOTHING
"""
_TOUCHED = """
UPDATE site_day d SET touched = (
  SELECT coalesce(greatest(max(commit_in), max(commit_out)), 0) FROM events e
  WHERE e.site_id = d.site_id AND e.day = d.day)
"""
_PROGRESS = "UPDATE rollup_progress SET commit_no = settled(), looked_at = now()"


def roll_up(connection: Connection[Any]) -> None:
    """As if the rollups had come to the last settled commit."""
    connection.execute(DAYS)
    connection.execute(_TOUCHED)
    connection.execute(_PROGRESS)


def write_archive(database: str, folder: Path, now: datetime = LONG_AFTER) -> list[Filed]:
    """Every site-day that is due, after its commits have been rolled up."""
    with psycopg.connect(database, autocommit=True) as connection:
        roll_up(connection)
        write_due(connection, folder, MEMORY_MB, now)
        return read_filed(connection, ALL_DAYS)
