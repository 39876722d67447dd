"""The database as the core's own verbs use it: no wait for ever, and trouble said in a sentence."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from infrastructure.problem import Problem
from writer.database.connection import (
    DISK_FULL,
    LOCKED,
    NO_ANSWER,
    READ_ONLY,
    RESTARTING,
    SHORT_OF_RESOURCES,
    UNREACHABLE,
    WEAK_PROMISE,
    Unavailable,
    Watched,
    connect,
    unavailable,
)

ANSWER_S = 30.0
"""A statement over a large ledger takes longer than the writer's own."""
_SILENT = "The database of MILLRACE_POSTGRES_URL does not answer: start it, or mend the URL."
_TROUBLES = {
    UNREACHABLE: _SILENT,
    NO_ANSWER: _SILENT,
    READ_ONLY: "The database is read-only: make it writable, or name the right one in "
    "MILLRACE_POSTGRES_URL.",
    DISK_FULL: "The database's disk is full: free some space and try again.",
    LOCKED: "Something else holds a lock on Millrace's tables: try again when it has ended.",
    RESTARTING: "The database is starting or ending: try again in a minute.",
    SHORT_OF_RESOURCES: "The database has no connection or memory to spare: end what holds them, "
    "or raise max_connections.",
    WEAK_PROMISE: "The database may lose what it commits, so that nothing is stored: turn its "
    "fsync and full_page_writes on.",
}
_OUTDATED = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.UndefinedFunction,
)


@contextmanager
def core_database(postgres_url: str, answer_s: float | None = None) -> Iterator[Watched]:
    """A connection within the block. Raises Problem wherever the database stands in the way."""
    try:
        with connect(postgres_url, autocommit=True, answer_s=answer_s or ANSWER_S) as connection:
            yield connection
    except (psycopg.Error, Unavailable) as error:
        raise Problem(_sentence(error)) from error


def _sentence(error: psycopg.Error | Unavailable) -> str:
    cause = error if isinstance(error, psycopg.Error) else error.__cause__
    if isinstance(cause, _OUTDATED):
        return "The database lacks Millrace's tables or some of their columns: run `migrate` first."
    meaning = error if isinstance(error, Unavailable) else unavailable(error)
    otherwise = f"This cannot be done now ({meaning}): try again, or look into the logs."
    return _TROUBLES.get(meaning.why, otherwise)
