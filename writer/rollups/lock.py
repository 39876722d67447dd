"""One at a time: the stages of several writers, a rebuild, whoever else changes rollups."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg import Connection

from writer.locks import Lock

_TRY = "SELECT pg_try_advisory_lock(%s)"
_WAIT = "SELECT pg_advisory_lock(%s)"
_UNLOCK = "SELECT pg_advisory_unlock(%s)"


@contextmanager
def trying(connection: Connection[Any]) -> Iterator[bool]:
    """Whether the rollups are this connection's within the block.

    Of the session, not of a transaction: a transaction that waited for it would see the database
    as it was before it waited.
    """
    row = connection.execute(_TRY, (Lock.ROLLUPS,)).fetchone()
    is_mine = bool(row and row[0])
    try:
        yield is_mine
    finally:
        if is_mine and not connection.closed:
            connection.execute(_UNLOCK, (Lock.ROLLUPS,))


@contextmanager
def waiting(connection: Connection[Any]) -> Iterator[None]:
    """The rollups are this connection's within the block."""
    connection.execute(_WAIT, (Lock.ROLLUPS,))
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute(_UNLOCK, (Lock.ROLLUPS,))
