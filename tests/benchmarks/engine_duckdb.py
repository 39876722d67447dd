"""DuckDB on the month's rows: a table of its own, visitor-days and visits numbered."""

import os
import time
from pathlib import Path
from typing import Any

import duckdb
import psycopg

from tests.benchmarks.panels import Dialect

DIALECT = Dialect(
    "arg_min",
    "arg_max",
    "round_even",
    "(({}) // {})",
    "CREATE OR REPLACE TEMP TABLE {} AS {}",
)

_COLUMNS = (
    "site_id", "day", "visitor", "name", "interactive", "page", "source", "channel", "country",
    "browser", "os", "device", "event_id",
)  # fmt: skip
_EXPORT = f"""
COPY (
  SELECT {", ".join(_COLUMNS)}, (extract(epoch FROM ts) * 1000000)::bigint AS ts_us,
    bot IS NULL AND name <> 'engagement' AS counted
  FROM events WHERE commit_out IS NULL
) TO STDOUT (FORMAT csv, HEADER, NULL '\\N')
"""
# A gap of over 30 minutes between two counted events begins a visit. What is not counted keeps the
# number that stands before it, which no panel looks at.
_NUMBER = """
CREATE TABLE events AS
WITH raw AS (
  SELECT * FROM read_csv(?, header = true, nullstr = '\\N',
    columns = {
      'site_id': 'INTEGER', 'day': 'DATE', 'visitor': 'BIGINT', 'name': 'VARCHAR',
      'interactive': 'BOOLEAN', 'page': 'VARCHAR', 'source': 'VARCHAR', 'channel': 'VARCHAR',
      'country': 'VARCHAR', 'browser': 'VARCHAR', 'os': 'VARCHAR', 'device': 'VARCHAR',
      'event_id': 'UUID', 'ts_us': 'BIGINT', 'counted': 'BOOLEAN'})
), marked AS (
  SELECT *, row_number() OVER one = 1 AS is_new,
    counted AND coalesce(ts_us - max(CASE WHEN counted THEN ts_us END) OVER (
      one ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) > 1800000000, true) AS begins
  FROM raw WINDOW one AS (PARTITION BY site_id, day, visitor ORDER BY ts_us, event_id)
)
SELECT site_id, day, ts_us, name, interactive, counted, page, source, channel, country, browser, os,
  device, (sum(is_new::INTEGER) OVER every)::INTEGER AS visitor_day,
  (sum(begins::INTEGER) OVER every)::INTEGER AS visit
FROM marked WINDOW every AS (ORDER BY site_id, day, visitor, ts_us, event_id)
ORDER BY site_id, day, visitor, ts_us, event_id
"""


def export(database: str, file: Path) -> None:
    """What stands in PostgreSQL, as CSV."""
    with (
        psycopg.connect(database) as connection,
        connection.cursor().copy(_EXPORT.encode()) as copy,
        file.open("wb") as written,
    ):
        for piece in copy:
            written.write(piece)


class DuckDB:
    """An engine: its table made once in a file that later runs find again."""

    def __init__(self, folder: Path, database: str) -> None:
        path = folder / "baseline.duckdb"
        if not path.exists():
            _make(folder, database).rename(path)
        self._db = _connect(path)

    def export_parquet(self, file: Path) -> None:
        """The same rows for another engine."""
        self._db.execute(f"COPY events TO '{file}' (FORMAT parquet)")

    def count(self) -> int:
        """Rows in the table."""
        [(count,)] = self._db.execute("SELECT count(*) FROM events").fetchall()
        return int(count)

    def run(self, sql: str) -> tuple[list[list[Any]], float]:
        """Rows, and how many seconds they took."""
        began = time.perf_counter()
        rows = self._db.execute(sql).fetchall()
        return [list(row) for row in rows], time.perf_counter() - began

    def close(self) -> None:
        """The file stays."""
        self._db.close()


def _connect(path: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(path, config={"threads": os.cpu_count() or 1})


def _make(folder: Path, database: str) -> Path:
    """The file, as yet under another name."""
    made, csv = folder / "baseline.duckdb.new", folder / "baseline.csv"
    made.unlink(missing_ok=True)
    export(database, csv)
    with _connect(made) as db:
        db.execute(_NUMBER, [str(csv)])
    csv.unlink()
    return made
