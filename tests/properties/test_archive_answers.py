"""The archive alone gives the oracle's answers: every metric, dimension and filter."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from api.database import open_pool
from api.query.archive import Archive
from api.query.parse import parse
from api.query.saved import read_saved
from api.query.scope import span
from api.query.table import resolved, table_of, wanted
from api.query.wire import Question
from api.sites import Site
from tests.archive_world import write_archive
from tests.oracle import numbers
from tests.oracle.questions import question, saved_by_name
from tests.oracle.saved import Saved
from tests.oracle.store import save, store
from tests.oracle.traffic import ZONES, Event, long_visit, traffic

bounded = settings(
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)


class Files:
    """Every stored example is a site of its own, written to the archive at once."""

    def __init__(self, database: str, folder: Path, runner: asyncio.Runner, pool: Any) -> None:
        self.database, self.folder, self.runner, self.pool = database, folder, runner, pool
        self.archive = Archive(folder, 256, 1)
        self._names = count()

    def store(self, zone: str, rows: list[Event]) -> tuple[Site, list[Event]]:
        stored = self.runner.run(store(self.pool, f"site-{next(self._names)}", zone, rows))
        write_archive(self.database, self.folder)
        return stored

    def save(self, found: Site, saved: Saved) -> Saved:
        return self.runner.run(save(self.pool, found.site_id, saved))

    def ask(self, found: Site, asked: dict[str, Any]) -> tuple[list[Any], int, int]:
        """(results, total rows, as of which commit)."""
        wire = {"site_id": found.key, **asked}
        return self.runner.run(self._ask(found, msgspec.convert(wire, Question)))

    async def _ask(self, found: Site, wire: Question) -> tuple[list[Any], int, int]:
        async with self.pool.connect() as db:
            commit = int(await db.scalar(select(func.settled())) or 0)
            saved = await read_saved(db, found.site_id)
            query = parse(wire, found.zone, datetime.now(UTC), None, saved)
            current = await self.archive.current(db, found.site_id, span(query.range))
        files = list(current.files.values())
        assert files
        query = await resolved(self.archive.values_of(files, 60.0), query)

        counted = await self.archive.count_all(files, query.range, wanted(query), 60.0)
        table = table_of(query, counted)
        plain = msgspec.to_builtins(table.rows)
        for row in plain:
            row["metrics"] = [_amount(value) for value in row["metrics"]]
        return plain, table.total, commit


def _amount(value: Any) -> Any:
    """Revenue without how it is written."""
    if not isinstance(value, dict):
        return value
    return {"currency": value["currency"], "value": value["value"]}


@pytest.fixture
def files(database: str, tmp_path: Path) -> Iterator[Files]:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        pool = runner.run(stack.enter_async_context(open_pool(database, 1)))
        made = Files(database, tmp_path / "archive", runner, pool)
        yield made
        made.archive.close()
        runner.run(stack.aclose())


@settings(bounded, max_examples=10)
@given(data=st.data())
def test_any_question_gets_the_oracles_answer_from_files_alone(
    files: Files, data: st.DataObject
) -> None:
    zone, rows = data.draw(traffic())
    found, placed = files.store(zone, rows)
    saved = files.save(found, data.draw(saved_by_name()))
    for _ in range(8):
        asked = data.draw(question(rows, saved))
        results, total, commit = files.ask(found, asked)
        expected, expected_total = numbers.answer(placed, commit, asked, saved)
        assert results == expected, asked
        assert total == expected_total, asked


@settings(bounded, max_examples=2)
@given(data=st.data())
def test_a_visitor_of_a_thousand_events_counts_in_files_as_anywhere(
    files: Files, data: st.DataObject
) -> None:
    zone = data.draw(st.sampled_from(sorted(ZONES)))
    rows = long_visit(zone, 7, 1_000)
    found, placed = files.store(zone, rows)
    for _ in range(6):
        asked = data.draw(question(rows))
        results, _, commit = files.ask(found, asked)
        assert results == numbers.answer(placed, commit, asked)[0], asked
