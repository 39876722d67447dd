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
from tests.oracle.questions import (
    DIMENSIONS,
    date_range,
    filter_tree,
    metrics_for,
    question,
    saved_by_name,
)
from tests.oracle.saved import Saved
from tests.oracle.store import save, store
from tests.oracle.traffic import ZONES, Event, long_visit, traffic

bounded = settings(
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


STEADY = ("browser", "os", "device", "city")


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

    def ask(self, found: Site, *asked: dict[str, Any]) -> list[tuple[list[Any], int, int]]:
        """Of each, asked at once: (results, total rows, as of which commit)."""
        wires = [msgspec.convert({"site_id": found.key, **each}, Question) for each in asked]
        return self.runner.run(self._ask(found, wires))

    async def _ask(self, found: Site, wires: list[Question]) -> list[tuple[list[Any], int, int]]:
        async with self.pool.connect() as db:
            commit = int(await db.scalar(select(func.settled())) or 0)
            saved = await read_saved(db, found.site_id)
            now = datetime.now(UTC)
            queries = [parse(wire, found.zone, now, None, saved) for wire in wires]
            days = span(queries[0].range)
            current = await self.archive.current(db, found.site_id, days)
        files = list(current.files.values())
        assert files
        values = self.archive.values_of(files, 60.0)
        queries = [await resolved(values, query) for query in queries]
        tallies = [each for query in queries for each in wanted(query)]
        counted = await self.archive.count_all(files, queries[0].range, tallies, 60.0)
        given = []
        for query in queries:
            own, counted = counted[: len(wanted(query))], counted[len(wanted(query)) :]
            table = table_of(query, own)
            given.append((_plain(table.rows), table.total, commit))
        return given


def _plain(rows: Any) -> list[Any]:
    plain: list[Any] = msgspec.to_builtins(rows)
    for row in plain:
        row["metrics"] = [_amount(value) for value in row["metrics"]]
    return plain


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
        [(results, total, commit)] = files.ask(found, asked)
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
        [(results, _, commit)] = files.ask(found, asked)
        assert results == numbers.answer(placed, commit, asked)[0], asked


@settings(bounded, max_examples=8)
@given(data=st.data())
def test_panels_that_share_their_filters_get_from_one_scan_what_each_gets_alone(
    files: Files, data: st.DataObject
) -> None:
    zone, rows = data.draw(traffic())
    if data.draw(st.booleans()):
        # What a visit has from its first event, all of its events have: nothing need be joined.
        rows = [{**row, **{name: f"{name} {row['visitor']}" for name in STEADY}} for row in rows]
    found, placed = files.store(zone, rows)
    saved = files.save(found, data.draw(saved_by_name()))
    common = data.draw(st.lists(st.one_of(filter_tree(saved), of_visits()), min_size=1, max_size=2))
    when = data.draw(date_range(rows))
    asked = [
        {**each, "date_range": when, "filters": [*common, *each["filters"][:1]]}
        for each in data.draw(st.lists(question(rows, saved), min_size=1, max_size=4))
    ]
    asked = [each for each in asked if set(each["metrics"]) <= set(possible(each))]
    if not asked:
        return
    for each, (results, total, commit) in zip(asked, files.ask(found, *asked), strict=True):
        expected, expected_total = numbers.answer(placed, commit, each, saved)
        assert results == expected, (asked, each)
        assert total == expected_total, (asked, each)


@settings(bounded, max_examples=4)
@given(data=st.data())
def test_every_dimension_under_filters_of_visits_alone_is_the_oracles(
    files: Files, data: st.DataObject
) -> None:
    zone, rows = data.draw(traffic())
    rows = [{**row, **{name: f"{name} {row['visitor']}" for name in STEADY}} for row in rows]
    found, placed = files.store(zone, rows)
    days = [row["day"].isoformat() for row in rows]
    alone = {"date_range": [min(days), max(days)], "filters": [data.draw(of_visits())]}
    for dimension in sorted(DIMENSIONS):
        asked = {**alone, "dimensions": [dimension]}
        usual = ("visitors", "visits", "bounce_rate", "pageviews", "events")
        asked["metrics"] = [metric for metric in usual if metric in possible(asked)]
        [(results, _, commit)] = files.ask(found, asked)
        assert results == numbers.answer(placed, commit, asked)[0], asked


def possible(asked: dict[str, Any]) -> tuple[str, ...]:
    return metrics_for(asked["dimensions"], asked["filters"])


def of_visits() -> st.SearchStrategy[list[Any]]:
    """By columns that are steady where the events of a visitor agree."""
    values = [f"{name} {visitor}" for name in STEADY for visitor in (1, 2, -3)]
    return st.tuples(
        st.sampled_from(("is", "is_not", "contains")),
        st.sampled_from([f"visit:{name}" for name in STEADY]),
        st.lists(st.sampled_from([*values, "1", ""]), min_size=1, max_size=4),
    ).map(list)
