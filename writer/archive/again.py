"""A day whose rows have left the database, made anew from its file where that is of another
definition: else nothing could ever read it again.

What a file holds of each event is read, and visits are numbered and measured as they are today. A
column that the old file lacks is null.
"""

from collections.abc import Iterator
from pathlib import Path

import duckdb

from shared.archive import JOINED
from writer.archive.engine import Engine, quoted
from writer.archive.rows import PIECE_OF_MEMORY, RAW

_BYTES_OF_A_ROW = 600
"""As CSV, roughly; by this much a piece of the memory holds so many."""
_FOUND = {
    "ts_us": "epoch_us(ts)",
    "event_id": JOINED,
}


def read_pieces_of_file(engine: Engine, file: Path, rows: int) -> Iterator[None]:
    """Each time ``raw`` holds the next piece, which is of whole visitors. Raises duckdb.Error."""
    source = f"read_parquet({quoted(file)})"
    held = engine.memory_mb * 1024 * 1024 * PIECE_OF_MEMORY / _BYTES_OF_A_ROW
    parts = 1 + int(rows / held)
    columns = ", ".join(f'"{name}" {kind}' for name, kind in RAW.items())
    selected = ", ".join(_selected(engine, source))
    for part in range(parts):
        engine.duck.execute(f"CREATE OR REPLACE TABLE raw ({columns})")
        mine = f"hash(coalesce(visitor, {_FOUND['ts_us']})) % {parts} = {part}"
        engine.duck.execute(f"INSERT INTO raw SELECT {selected} FROM {source} WHERE {mine}")
        yield


def _selected(engine: Engine, source: str) -> Iterator[str]:
    described: duckdb.DuckDBPyConnection = engine.duck.execute(f"DESCRIBE FROM {source}")
    there = {row[0] for row in described.fetchall()}
    for name in RAW:
        yield _FOUND.get(name) or (f'"{name}"' if name in there else "NULL")
