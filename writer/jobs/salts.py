"""Deletes the salts of past days: from then on nobody can tell who a visitor was.

A live salt goes 48 h after its day's end; later only while an edge, the primary or the quarantine
may still hold something of that day, and after 7 days whatever they hold. A salt for imports
goes 48 h after its last use.
"""

import logging
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import Connection

from writer.finality import final_at
from writer.jobs.setting_up import job_settings

log = logging.getLogger("jobs")

_SPOOLED_SINCE = """
SELECT min(oldest_spooled_at) FROM edge WHERE retired_at IS NULL AND spooled_batches > 0
"""
_DELETE_LIVE = """
UPDATE salt SET salt = NULL, deleted_at = %(now)s
FROM site_day day
WHERE salt.kind = 'live' AND salt.salt IS NOT NULL
  AND day.site_id = salt.site_id AND day.day = salt.day
  AND day.ends_at <= %(now)s - interval '48 hours'
  AND (day.ends_at <= %(now)s - interval '7 days' OR (
    -- A beacon may say that it happened up to a day before it was received.
    day.ends_at + interval '24 hours' <= %(held_since)s
    -- An entry that was set aside whole was received before, nobody knows when.
    AND NOT EXISTS (
      SELECT FROM quarantine
      WHERE state = 'held'
        AND coalesce(received_at, set_aside_at) >= day.starts_at - interval '5 minutes'
        AND coalesce(received_at, day.starts_at) < day.ends_at + interval '24 hours')))
"""
_DELETE_IMPORT = """
UPDATE salt SET salt = NULL, deleted_at = %(now)s
WHERE kind = 'import' AND salt IS NOT NULL AND last_used_at <= %(now)s - interval '48 hours'
"""


def run() -> int:
    """Delete what is due; returns how many salts went."""
    with psycopg.connect(job_settings().postgres_url, autocommit=True) as connection:
        return delete_salts(connection, datetime.now(UTC))


def delete_salts(connection: Connection[Any], now: datetime) -> int:
    """The same as of ``now``."""
    values = {"now": now, "held_since": held_since(connection, now)}
    deleted = connection.execute(_DELETE_LIVE, values).rowcount
    deleted += connection.execute(_DELETE_IMPORT, values).rowcount
    if deleted:
        log.info("%d salts are deleted", deleted)
    return deleted


def held_since(connection: Connection[Any], now: datetime) -> datetime:
    """When the earliest was received that an edge or the primary may still hold.

    By the numbers that boots gave, not by the ids of stream entries: those of an outage got theirs
    when they were drained.
    """
    row = connection.execute(_SPOOLED_SINCE).fetchone()
    return min(final_at(connection, now), (row and row[0]) or now)
