"""The rows of an archive file, as they stood in ``events``.

Put there in pieces, each a short transaction, because a long one would hold up the live feed.
"""

from collections.abc import Iterator, Sequence
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

_PIECE = 5_000
_FETCHED = 2_000
_OWN = ("site_id", "day", "commit_in", "ts", "received_at", "event_id", "visitor", "hour")
_NAMES = SQL(", ").join(map(Identifier, (*_OWN, *PLAIN)))
_MAKE = "CREATE TEMP TABLE IF NOT EXISTS coming_back (LIKE events INCLUDING DEFAULTS)"
_EMPTY = "TRUNCATE coming_back"
_STAGE = SQL("COPY coming_back ({}) FROM STDIN").format(_NAMES)
_PUT = SQL(
    "INSERT INTO events ({0}) SELECT {0} FROM coming_back ORDER BY ts, event_id"
    " ON CONFLICT (site_id, ts, event_id, commit_out) DO NOTHING"
).format(_NAMES)
_READ = ", ".join(
    ("epoch_us(ts)", "late_us", "boot", "seq", "idx", "visitor", "hour", *map('"{}"'.format, PLAIN))
)


def put_rows(connection: Connection[Any], engine: Engine, folder: Path, file: FileOfDay) -> None:
    """Into ``events``, but for those that are there, by way of a table of the connection's own,
    which must be in autocommit. Raises duckdb.Error."""
    connection.execute(_MAKE)
    rows = _read(engine, folder, file)
    while piece := list(islice(rows, _PIECE)):
        put_piece(connection, piece)


def put_piece(connection: Connection[Any], piece: Sequence[tuple[Any, ...]]) -> None:
    """Some rows, in short transactions."""
    connection.execute(_EMPTY)
    with connection.cursor() as cursor, cursor.copy(_STAGE) as copy:
        for row in piece:
            copy.write_row(row)
    connection.execute(_PUT)
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
