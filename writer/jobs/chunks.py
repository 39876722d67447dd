"""Chunks that hold no row any more are dropped, which gives their disk back.

A chunk holds all sites. Its rows are deleted site-day by site-day, so that one past every site's
limit is empty. It is dropped under its own lock: a writer that would put a late row into it just
then is told to try again, and makes a new one.

A drop takes rows away also from a snapshot that is older than their deletion, which would count
none of them and not know. So a chunk waits for whoever may still see its days as they were.
"""

import logging
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection
from psycopg.errors import LockNotAvailable
from psycopg.sql import SQL, Identifier

from writer.jobs.site_days import SLACK

log = logging.getLogger("jobs")

_IN_USE = timedelta(days=2)
_CHUNKS = """
SELECT chunk_schema, chunk_name, range_start, range_end FROM timescaledb_information.chunks
WHERE hypertable_name = 'events' AND range_end <= %s ORDER BY range_start
"""
_BE_QUICK = "SET LOCAL lock_timeout = '1s'"
_LOCK = SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE")
_IS_EMPTY = SQL("SELECT NOT EXISTS (SELECT FROM {})")
# The last to write a site-day's row was who took its rows away, or came after; a snapshot whose
# xmin is no later may not know of it. Other roles are seen by who reads all statistics.
_MAY_BE_SEEN = """
SELECT EXISTS (
  SELECT FROM pg_stat_activity a CROSS JOIN site_day d
  WHERE a.datname = current_database() AND a.backend_type = 'client backend'
    AND a.pid <> pg_backend_pid() AND a.backend_xmin IS NOT NULL
    AND d.state NOT IN ('open', 'archived') AND d.starts_at < %s AND d.ends_at > %s
    AND age(d.xmin) <= age(a.backend_xmin)
)
"""
_DROP = """
SELECT count(*) FROM drop_chunks('events', older_than => %s::timestamptz,
  newer_than => %s::timestamptz)
"""


def drop_empty_chunks(connection: Connection[Any], now: datetime) -> int:
    """On an autocommit connection; returns how many went."""
    found = connection.execute(_CHUNKS, (now - _IN_USE,)).fetchall()
    return sum(_drop(connection, *chunk) for chunk in found)


def _drop(
    connection: Connection[Any], schema: str, name: str, starts_at: datetime, ends_at: datetime
) -> int:
    chunk = Identifier(schema, name)
    if connection.execute(_IS_EMPTY.format(chunk)).fetchone() != (True,):
        return 0
    try:
        with connection.transaction():
            connection.execute(_BE_QUICK)
            connection.execute(_LOCK.format(chunk))
            if connection.execute(_IS_EMPTY.format(chunk)).fetchone() != (True,):
                return 0
            if _may_be_seen(connection, starts_at, ends_at):
                return 0
            row = connection.execute(_DROP, (ends_at, starts_at)).fetchone()
            return int(row[0]) if row else 0
    except LockNotAvailable:
        return 0


def _may_be_seen(connection: Connection[Any], starts_at: datetime, ends_at: datetime) -> bool:
    near = (ends_at + SLACK, starts_at - SLACK)
    return connection.execute(_MAY_BE_SEEN, near).fetchone() != (False,)
