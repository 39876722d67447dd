"""Deletes the salts of past days: from then on nobody can tell who a visitor was.

A live salt goes 48 h after its day's end; later only while an edge, a stream or the quarantine
may still hold something of that day, and after 7 days whatever they hold. A salt for imports
goes 48 h after its last use.
"""

import logging
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import Connection
from redis import Redis

from writer.jobs.setting_up import job_settings
from writer.known.zones import moment
from writer.stream import stream_key

log = logging.getLogger("jobs")

_EDGES = "SELECT edge FROM edge WHERE retired_at IS NULL"
_HELD_BY_EDGES = """
SELECT min(CASE
    WHEN last_heard IS NULL THEN added_at
    WHEN last_heard < %(now)s - interval '1 minute' THEN least(last_heard, oldest_spooled_at)
    WHEN spooled_batches > 0 THEN oldest_spooled_at
END)
FROM edge WHERE retired_at IS NULL
"""
_DELETE_LIVE = """
UPDATE salt SET salt = NULL, deleted_at = %(now)s
FROM site_day day
WHERE salt.kind = 'live' AND salt.salt IS NOT NULL
  AND day.site_id = salt.site_id AND day.day = salt.day
  AND day.ends_at <= %(now)s - interval '48 hours'
  AND (day.ends_at <= %(now)s - interval '7 days' OR (
    -- A beacon may say that it happened up to a day before it was received.
    (%(held_since)s::timestamptz IS NULL
     OR day.ends_at + interval '24 hours' <= %(held_since)s::timestamptz)
    AND NOT EXISTS (
      SELECT FROM quarantine
      WHERE state = 'held'
        AND coalesce(received_at, set_aside_at) >= day.starts_at - interval '5 minutes'
        AND coalesce(received_at, set_aside_at) < day.ends_at + interval '24 hours')))
"""
_DELETE_IMPORT = """
UPDATE salt SET salt = NULL, deleted_at = %(now)s
WHERE kind = 'import' AND salt IS NOT NULL AND last_used_at <= %(now)s - interval '48 hours'
"""


def run() -> int:
    """Delete what is due; returns how many salts went."""
    settings = job_settings()
    with (
        psycopg.connect(settings.postgres_url, autocommit=True) as connection,
        Redis.from_url(settings.primary_url, socket_timeout=10) as redis,
    ):
        return delete_salts(connection, redis, datetime.now(UTC))


def delete_salts(connection: Connection[Any], redis: Redis, now: datetime) -> int:
    """The same as of ``now``."""
    values = {"now": now, "held_since": held_since(connection, redis, now)}
    deleted = connection.execute(_DELETE_LIVE, values).rowcount
    deleted += connection.execute(_DELETE_IMPORT, values).rowcount
    if deleted:
        log.info("%d salts are deleted", deleted)
    return deleted


def held_since(connection: Connection[Any], redis: Redis, now: datetime) -> datetime | None:
    """The earliest that anything an edge or a stream may still hold was received."""
    row = connection.execute(_HELD_BY_EDGES, {"now": now}).fetchone()
    held = [row[0]] if row and row[0] else []
    for (edge,) in connection.execute(_EDGES).fetchall():
        oldest: Any = redis.xrange(stream_key(edge), count=1)
        if oldest:
            held.append(moment(int(oldest[0][0].partition(b"-")[0]) * 1_000))
    return min(held, default=None)
