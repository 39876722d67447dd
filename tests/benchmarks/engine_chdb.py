"""chDB, ClickHouse in a process of its own, on the month's rows: a MergeTree of them."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from infrastructure.bootstrap import BENCH_LOCK, environment
from tests.benchmarks.panels import Dialect

DIALECT = Dialect(
    "argMin",
    "argMax",
    "roundBankers",
    "intDiv({}, {})",
    "CREATE OR REPLACE TABLE {} ENGINE = Memory AS {}",
)

_CHILD = Path(__file__).with_name("chdb_child.py")
_FEW_VALUES = ("name", "page", "source", "channel", "country", "browser", "os", "device")
# Sorted as the question goes: one site, some days, then whose events they are.
_MAKE = """
CREATE TABLE month.events ENGINE = MergeTree ORDER BY (site_id, day, visitor_day, ts_us) AS
SELECT assumeNotNull(site_id) AS site_id, assumeNotNull(day) AS day, assumeNotNull(ts_us) AS ts_us,
  assumeNotNull(interactive) AS interactive, assumeNotNull(counted) AS counted,
  assumeNotNull(visitor_day) AS visitor_day, assumeNotNull(visit) AS visit, {few}
FROM file('{file}', Parquet)
"""


class ChDB:
    """An engine. Raises Problem where its packages cannot be installed."""

    def __init__(self, folder: Path, parquet: Path) -> None:
        data, complete = folder / "chdb", folder / "chdb.complete"
        if not complete.exists():
            shutil.rmtree(data, ignore_errors=True)
        self._child = subprocess.Popen(
            [environment(BENCH_LOCK), "-P", _CHILD, data],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        if not complete.exists():
            self._load(parquet)
            complete.touch()
        self.run("USE month")
        self.run(f"SET max_threads = {os.cpu_count()}")

    def count(self) -> int:
        """Rows in the table."""
        [[count]] = self.run("SELECT count() FROM month.events")[0]
        return int(count)

    def run(self, sql: str) -> tuple[list[list[Any]], float]:
        """Rows, and how many seconds they took within chDB."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(json.dumps(sql) + "\n")
        self._child.stdin.flush()
        answer = self._child.stdout.readline()
        if not answer:
            raise RuntimeError(f"chDB ended at: {sql[:2_000]}")
        rows, took = json.loads(answer)
        # Integers of 64 bits come as text.
        return [[_plain(value) for value in row] for row in rows], took

    def close(self) -> None:
        """Its folder stays."""
        assert self._child.stdin is not None
        self._child.stdin.close()
        self._child.wait(60)

    def _load(self, parquet: Path) -> None:
        few = ", ".join(
            f"toLowCardinality(assumeNotNull({name})) AS {name}" for name in _FEW_VALUES
        )
        self.run("CREATE DATABASE month")
        self.run(_MAKE.format(few=few, file=parquet))
        self.run("OPTIMIZE TABLE month.events FINAL")


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isdecimal() else value
