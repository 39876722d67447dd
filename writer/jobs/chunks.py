"""Chunks that hold no row any more are dropped, which gives their disk back.

A chunk holds all sites. Its rows are deleted site-day by site-day, so that one past every site's
limit is empty. It is dropped under its own lock: a writer that would put a late row into it just
then is told to try again, and makes a new one.
"""

import logging
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection
from psycopg.errors import LockNotAvailable
from psycopg.sql import SQL, Identifier

log = logging.getLogger("jobs")

_IN_USE = timedelta(days=2)
_CHUNKS = """
SELECT chunk_schema, chunk_name, range_start, range_end FROM timescaledb_information.chunks
WHERE hypertable_name = 'events' AND range_end <= %s ORDER BY range_start
"""
_BE_QUICK = "SET LOCAL lock_timeout = '1s'"
_LOCK = SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE")
_IS_EMPTY = SQL("SELECT NOT EXISTS (SELECT FROM {})")
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
            row = connection.execute(_DROP, (ends_at, starts_at)).fetchone()
            return int(row[0]) if row else 0
    except LockNotAvailable:
        return 0
