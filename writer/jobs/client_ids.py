"""Forgets client ids, and what of events left out, after eight days: no client retries longer."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import psycopg
from psycopg import Connection

from writer.jobs.setting_up import job_settings

log = logging.getLogger("jobs")

REMEMBERED = timedelta(days=8)
"""From when they were written down: what came late, or waited in the quarantine, is remembered as
long as anything else."""
_PAGES = 1_000
_COUNT_PAGES = "SELECT pg_relation_size(%s::regclass) / current_setting('block_size')::int"
# By pages: each is read once, and no index is kept for it.
_FORGET_IDS: LiteralString = """
DELETE FROM client_id WHERE ctid >= %s::tid AND ctid < %s::tid AND claimed_at < %s
"""
_FORGET_LEFT_OUT: LiteralString = """
DELETE FROM left_out WHERE ctid >= %s::tid AND ctid < %s::tid AND noted_at < %s
"""


def run() -> int:
    """Forget what is due; returns how many ids went."""
    with psycopg.connect(job_settings().postgres_url, autocommit=True) as connection:
        return forget_client_ids(connection, datetime.now(UTC))


def forget_client_ids(connection: Connection[Any], now: datetime) -> int:
    """The same as of ``now``, in short transactions: a long one would hold up the live feed."""
    limit = now - REMEMBERED
    _forget(connection, "left_out", _FORGET_LEFT_OUT, limit)
    forgotten = _forget(connection, "client_id", _FORGET_IDS, limit)
    if forgotten:
        log.info("%d client ids are forgotten", forgotten)
    return forgotten


def _forget(
    connection: Connection[Any], table: str, statement: LiteralString, limit: datetime
) -> int:
    row = connection.execute(_COUNT_PAGES, (table,)).fetchone()
    forgotten = 0
    for page in range(0, row[0] if row else 0, _PAGES):
        pages = f"({page},0)", f"({page + _PAGES},0)"
        forgotten += connection.execute(statement, (*pages, limit)).rowcount
    return forgotten
