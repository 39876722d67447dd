"""The rows of an archive file, as they stood in ``events``.

Staged in pieces, each a short transaction, because a long one would hold up the live feed; then
put in place by one statement.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.sql import SQL, Identifier

from shared.archive import PLAIN, joined
from writer.archive.engine import Engine, quoted
from writer.jobs.filed import FileOfDay
from writer.known.zones import moment

_PIECE = 20_000
_FETCHED = 2_000
_OWN = ("site_id", "day", "commit_in", "ts", "received_at", "event_id", "visitor", "hour")
_NAMES = SQL(", ").join(map(Identifier, (*_OWN, *PLAIN)))
_MAKE = "CREATE TEMP TABLE IF NOT EXISTS coming_back (LIKE events INCLUDING DEFAULTS)"
_EMPTY = "TRUNCATE coming_back"
_STAGE = SQL("COPY coming_back ({}) FROM STDIN").format(_NAMES)
_PUT = SQL("INSERT INTO events ({0}) SELECT {0} FROM coming_back ORDER BY ts, event_id").format(
    _NAMES
)
_READ = ", ".join(
    ("epoch_us(ts)", "late_us", "boot", "seq", "idx", "visitor", "hour", *map('"{}"'.format, PLAIN))
)


def stage_rows(connection: Connection[Any], engine: Engine, folder: Path, file: FileOfDay) -> int:
    """Fill a table of the connection's own, which must be in autocommit; returns how many rows.
    Raises duckdb.Error."""
    connection.execute(_MAKE)
    connection.execute(_EMPTY)
    rows = _read(engine, folder, file)
    staged = 0
    while piece := list(islice(rows, _PIECE)):
        with connection.cursor() as cursor, cursor.copy(_STAGE) as copy:
            for row in piece:
                copy.write_row(row)
        staged += len(piece)
    return staged


def put_staged(connection: Connection[Any]) -> int:
    """Into ``events``, in the transaction that is open; returns how many."""
    return connection.execute(_PUT).rowcount


def empty_stage(connection: Connection[Any]) -> None:
    """Give the room back."""
    connection.execute(_EMPTY)


def _read(engine: Engine, folder: Path, file: FileOfDay) -> Iterator[tuple[Any, ...]]:
    source = f"read_parquet({quoted(folder / file.path)})"
    found = engine.duck.execute(" ".join(("SELECT", _READ, "FROM", source)))
    while rows := found.fetchmany(_FETCHED):
        for ts_us, late_us, boot, seq, idx, *rest in rows:
            yield (
                file.site_id, file.day, file.commit_no, moment(ts_us), moment(ts_us + late_us),
                UUID(int=joined(boot, seq, idx)), *rest,
            )  # fmt: skip
