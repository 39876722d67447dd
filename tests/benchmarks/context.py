"""What every benchmark is given: a folder, real servers once one asks for them, a month of events
once one asks about that, and a voice."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import cached_property
from pathlib import Path

from infrastructure.local.folders import make_scratch_folder
from infrastructure.local.stack import LocalStack, fresh_plan, local_stack
from tests.benchmarks.engine_chdb import ChDB
from tests.benchmarks.engine_duckdb import DuckDB
from tests.benchmarks.month_world import MonthWorld, month_world

EVENTS = 10_000_000
"""Of the month that questions are asked about."""
SITES = 1_000
"""Beside each other, for a year."""


class Context:
    """``stack`` starts PostgreSQL and two Redis servers when it is first asked for, ``month`` the
    product on servers of its own. ``data``: where the month is kept for the next run."""

    def __init__(
        self,
        folder: Path,
        stack: ExitStack,
        events: int = EVENTS,
        data: Path | None = None,
        sites: int = SITES,
    ) -> None:
        self.folder = folder
        self.sites = sites
        self._closing = stack
        self._events = events
        self._data = data

    @cached_property
    def stack(self) -> LocalStack:
        return self._closing.enter_context(local_stack(self.folder / "stack", fresh_plan()))

    @cached_property
    def month(self) -> MonthWorld:
        folder = self._data or self.folder / "month"
        return self._closing.enter_context(month_world(folder, self._events, self.say))

    @cached_property
    def duckdb(self) -> DuckDB:
        """With the month's rows, as ``chdb``."""
        month = self.month
        self.say("  loading DuckDB …")
        return self._closing.enter_context(closing(DuckDB(month.folder, month.database)))

    @cached_property
    def chdb(self) -> ChDB:
        parquet = self.folder / "month.parquet"
        self.duckdb.export_parquet(parquet)
        self.say("  loading chDB …")
        return self._closing.enter_context(closing(ChDB(self.month.folder, parquet)))

    @staticmethod
    def say(text: str) -> None:
        """Progress; the figures alone go to standard output."""
        print(text, file=sys.stderr, flush=True)


@contextmanager
def benchmark_context(
    events: int = EVENTS, data: Path | None = None, sites: int = SITES
) -> Iterator[Context]:
    """Everything started is ended and its folder removed."""
    folder = make_scratch_folder("bench")
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        yield Context(folder, stack, events, data, sites)
