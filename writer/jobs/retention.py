"""How long data is kept, site by site: rows, files and rollups go when their time has come.

Every step is one site-day, whose state changes in one transaction before its rows go, so that a
death at any moment leaves whole days, and the next run does what is left. Nothing is ever
subtracted from a rollup: it is whole, or dropped.
"""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import psycopg
from psycopg import Connection

from shared.sites import SiteSettings
from writer.database.locks import Lock, trying
from writer.jobs.chunks import drop_empty_chunks
from writer.jobs.go import forget_all, go_all
from writer.jobs.leave import leave_all
from writer.jobs.setting_up import job_settings
from writer.jobs.site_days import clear_left_behind

log = logging.getLogger("jobs")

_SITES = """
SELECT site_id, (
  SELECT coalesce(jsonb_object_agg(name, value), '{}') FROM (
    SELECT DISTINCT ON (name) name, value FROM site_setting s
    WHERE s.site_id = site.site_id AND valid_from <= %s
      AND name IN ('keep_days', 'rows_in_database_days', 'keep_rollups_days')
    ORDER BY name, valid_from DESC
  ) latest
) FROM site ORDER BY site_id
"""


class Limits(NamedTuple):
    """Of one site: days that ended by then go; None: none does. Rollups never go before rows."""

    site_id: int
    kept_since: datetime
    in_database_since: datetime | None
    rolled_since: datetime | None


def run() -> int:
    """Do what is due; returns how many rows were deleted."""
    settings = job_settings()
    with psycopg.connect(settings.postgres_url, autocommit=True) as connection:
        now = datetime.now(UTC)
        return keep_to_limits(connection, now, settings.rows_keep_days, settings.archive_folder)


def keep_to_limits(
    connection: Connection[Any], now: datetime, default_keep_days: int, folder: Path
) -> int:
    """The same as of ``now``, on an autocommit connection. ``folder``: the archive's."""
    with trying(connection, Lock.ROWS) as is_mine:
        return _keep_to_limits(connection, now, default_keep_days, folder) if is_mine else 0


def _keep_to_limits(
    connection: Connection[Any], now: datetime, default_keep_days: int, folder: Path
) -> int:
    deleted = 0
    for limits in read_limits(connection, now, default_keep_days):
        site_id = limits.site_id
        deleted += go_all(connection, site_id, limits.kept_since, now)
        if limits.in_database_since is not None:
            deleted += leave_all(connection, folder, site_id, limits.in_database_since)
        if limits.rolled_since is not None:
            forget_all(connection, site_id, limits.rolled_since)
        deleted += clear_left_behind(connection, site_id)
    dropped = drop_empty_chunks(connection, now)
    if deleted or dropped:
        log.info("%d rows past their time are deleted, %d chunks dropped", deleted, dropped)
    return deleted


def read_limits(connection: Connection[Any], now: datetime, default_keep_days: int) -> list[Limits]:
    """Of every site, as its settings are now; of one whose settings cannot be read, none."""
    return [
        limits
        for site_id, values in connection.execute(_SITES, (now,)).fetchall()
        for limits in _limits(site_id, values, now, default_keep_days)
    ]


def _limits(
    site_id: int, values: dict[str, Any], now: datetime, default_keep_days: int
) -> Iterator[Limits]:
    try:
        settings = msgspec.convert(values, SiteSettings)
    except msgspec.ValidationError:
        log.error("site %d: its settings of retention cannot be used: nothing is deleted", site_id)
        return

    def before(days: int) -> datetime:
        return now - timedelta(days=days)

    kept, rolled = before(settings.keep_days or default_keep_days), settings.keep_rollups_days
    in_database = settings.rows_in_database_days
    yield Limits(
        site_id,
        kept,
        None if in_database is None else before(in_database),
        None if rolled is None else min(before(rolled), kept),
    )
