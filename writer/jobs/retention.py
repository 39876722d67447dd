"""Deletes rows older than their site keeps them, by whole site-days.

A chunk holds all sites: it is dropped once it is past every site's limit; before that a site's
rows are deleted from it, one site-day a transaction.
"""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg import Connection

from writer.jobs.setting_up import job_settings

log = logging.getLogger("jobs")

_SITES = """
SELECT site_id, (
    SELECT (value #>> '{}')::int FROM site_setting s
    WHERE s.site_id = site.site_id AND name = 'keep_days' AND valid_from <= %s
    ORDER BY valid_from DESC LIMIT 1
) FROM site
"""
_EXPIRED = """
SELECT day, starts_at, ends_at, state FROM site_day
WHERE site_id = %s AND ends_at <= %s ORDER BY day
"""
_DELETE_DAY = "DELETE FROM events WHERE site_id = %s AND ts >= %s AND ts < %s"
_DELETE_BEFORE = "DELETE FROM events WHERE site_id = %s AND ts < %s"
_MARK = "UPDATE site_day SET state = 'gone' WHERE site_id = %s AND day = %s"
_DROP_CHUNKS = "SELECT count(*) FROM drop_chunks('events', older_than => %s::timestamptz)"
# The longest a site-day lasts: one that is not expired may begin so long before the limit.
_LONGEST_DAY = timedelta(days=2)


def run() -> int:
    """Delete what is due; returns how many rows were deleted, dropped chunks not counted."""
    settings = job_settings()
    with psycopg.connect(settings.postgres_url, autocommit=True) as connection:
        return delete_rows(connection, datetime.now(UTC), settings.rows_keep_days)


def delete_rows(connection: Connection[Any], now: datetime, default_keep_days: int) -> int:
    """The same as of ``now``."""
    limits = {
        site_id: now - timedelta(days=keep_days or default_keep_days)
        for site_id, keep_days in connection.execute(_SITES, (now,))
    }
    if limits:
        connection.execute(_DROP_CHUNKS, (min(limits.values()) - _LONGEST_DAY,))
    deleted = sum(_delete_of_site(connection, site_id, limit) for site_id, limit in limits.items())
    if deleted:
        log.info("%d rows past their site's retention are deleted", deleted)
    return deleted


def _delete_of_site(connection: Connection[Any], site_id: int, limit: datetime) -> int:
    expired = connection.execute(_EXPIRED, (site_id, limit)).fetchall()
    deleted = 0
    for day, starts_at, ends_at, state in expired:
        if state != "gone":
            with connection.transaction():
                deleted += connection.execute(_DELETE_DAY, (site_id, starts_at, ends_at)).rowcount
                connection.execute(_MARK, (site_id, day))
    if expired:
        # What came after its day was gone.
        last_end = max(ends_at for _, _, ends_at, _ in expired)
        deleted += connection.execute(_DELETE_BEFORE, (site_id, last_end)).rowcount
    return deleted
