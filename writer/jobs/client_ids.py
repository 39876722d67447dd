"""Forgets client ids, and what of events left out, after eight days: no client retries longer."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import psycopg
from psycopg import Connection

from writer.jobs.setting_up import job_settings

log = logging.getLogger("jobs")

REMEMBERED = timedelta(days=8)
_AT_ONCE = 20_000
_FORGET_ID = """
DELETE FROM client_id WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM client_id WHERE received_at < %s LIMIT %s
))
"""
_FORGET_LEFT_OUT = """
DELETE FROM left_out WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM left_out WHERE received_at < %s LIMIT %s
))
"""


def run() -> int:
    """Forget what is due; returns how many ids went."""
    with psycopg.connect(job_settings().postgres_url, autocommit=True) as connection:
        return forget_client_ids(connection, datetime.now(UTC))


def forget_client_ids(connection: Connection[Any], now: datetime) -> int:
    """The same as of ``now``, in short transactions: a long one would hold up the live feed."""
    limit = now - REMEMBERED
    _forget(connection, _FORGET_LEFT_OUT, limit)
    forgotten = _forget(connection, _FORGET_ID, limit)
    if forgotten:
        log.info("%d client ids are forgotten", forgotten)
    return forgotten


def _forget(connection: Connection[Any], statement: LiteralString, limit: datetime) -> int:
    forgotten = 0
    while count := connection.execute(statement, (limit, _AT_ONCE)).rowcount:
        forgotten += count
    return forgotten
