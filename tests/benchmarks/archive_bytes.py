"""``archive_bytes_vs_duckdb``: bytes of an archived event ÷ those of the same columns in a DuckDB
file, ids included; ``archive_bytes_per_event`` and ``stored_bytes_per_event`` beside it.

What only the archive has (a visit's measures, kept with its first event) is not in DuckDB's file.
"""

from pathlib import Path

import duckdb
import psycopg

from tests.benchmarks.context import Context
from tests.benchmarks.figure import Figure, exact
from tests.benchmarks.month_world import MonthWorld

_OURS_ALONE = "visit_"
_ARCHIVED = "SELECT sum(bytes)::bigint, sum(rows)::bigint, count(*) FROM archive_file"
_SIZES = """
SELECT CASE WHEN n.nspname LIKE '\\_timescaledb%%' OR c.relname = 'events' THEN 'events' ELSE
    c.relname END, sum(pg_table_size(c.oid))::bigint, sum(pg_indexes_size(c.oid))::bigint
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND (n.nspname = '_timescaledb_internal' OR n.nspname = 'public')
GROUP BY 1 HAVING sum(pg_total_relation_size(c.oid)) > 200000 ORDER BY 2 DESC
"""


def run(context: Context) -> list[Figure]:
    """Sizes: the same at every run on the same rows."""
    world = context.month
    with psycopg.connect(world.database) as connection:
        row = connection.execute(_ARCHIVED).fetchone()
        sizes = connection.execute(_SIZES).fetchall()
    assert row is not None
    archived, events, files = row
    if events != world.loaded.events:
        raise RuntimeError(f"{events} of {world.loaded.events} events are archived")
    theirs = _duckdb_bytes(world, context.folder / "bytes.duckdb", int(events))
    parts = {"archive": archived / events}
    for name, heap, indexes in sizes:
        parts |= {name: heap / events, f"indexes of {name}": indexes / events}
    parts = {name: round(size, 2) for name, size in parts.items()}
    return [
        exact("archive_bytes_vs_duckdb", archived / theirs, "", events=events, files=files),
        exact("archive_bytes_per_event", archived / events, "B", duckdb=round(theirs / events, 2)),
        exact("stored_bytes_per_event", sum(parts.values()), "B", parts=parts),
    ]


def _duckdb_bytes(world: MonthWorld, file: Path, events: int) -> int:
    """Of a table in the order of the files."""
    archive = world.product.settings["MILLRACE_ARCHIVE_FOLDER"]
    source = f"read_parquet('{archive}/**/*.parquet', hive_partitioning = true)"
    with duckdb.connect(file) as db:
        columns = [name for name, *_ in db.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()]
        kept = ", ".join(name for name in columns if not _is_ours_alone(name))
        db.execute(f"CREATE TABLE events AS SELECT {kept} FROM {source}")
        if db.execute("SELECT count(*) FROM events").fetchone() != (events,):
            raise RuntimeError("the files do not hold what the table of files says")
        db.execute("CHECKPOINT")
        # Blocks in use: two threads leave as many free ones between them.
        used = "SELECT used_blocks * block_size FROM pragma_database_size()"
        [(used_bytes,)] = db.execute(used).fetchall()
    return int(used_bytes)


def _is_ours_alone(column: str) -> bool:
    return column.startswith(_OURS_ALONE) and column != "visit_no"
