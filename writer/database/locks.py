"""The database's advisory locks: who works alone, each by a number of its own.

Of the session, not of a transaction: a transaction that waited for one would see the database as
it was before it waited. A death lets go of them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Any

from psycopg import Connection


class Lock(IntEnum):
    """Commit numbers are drawn under 7235420, which the first migration names itself.

    ``ROLLUPS``: the stages of several writers, a rebuild, whoever else changes rollups.
    ``ARCHIVE``: whoever writes or sweeps files. ``ROWS``: whoever takes rows of whole days away or
    brings them back. ``MIGRATIONS``: whoever changes tables.
    """

    ROLLUPS = 7_235_421
    ARCHIVE = 7_235_422
    ROWS = 7_235_423
    MIGRATIONS = 0x4D696C6C


@contextmanager
def trying(connection: Connection[Any], lock: Lock) -> Iterator[bool]:
    """Whether the lock is this connection's within the block."""
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", (lock,)).fetchone()
    is_mine = bool(row and row[0])
    try:
        yield is_mine
    finally:
        if is_mine:
            _let_go(connection, lock)


@contextmanager
def waiting(connection: Connection[Any], lock: Lock) -> Iterator[None]:
    """The lock is this connection's within the block."""
    connection.execute("SELECT pg_advisory_lock(%s)", (lock,))
    try:
        yield
    finally:
        _let_go(connection, lock)


def _let_go(connection: Connection[Any], lock: Lock) -> None:
    if not connection.closed:
        connection.execute("SELECT pg_advisory_unlock(%s)", (lock,))
