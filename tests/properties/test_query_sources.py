"""Whichever source counts, and however the days are shared out among them, an answer is the
oracle's."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from api.database import open_pool
from api.query.answer import answer
from api.query.archive import Archive
from api.query.plan import ALL_SOURCES, Source
from api.query.wire import Answer, Question
from api.sites import Site
from tests.archive_world import DAYS, LONG_AFTER, MEMORY_MB
from tests.oracle import numbers
from tests.oracle.questions import (
    DIMENSIONS,
    FILTERED,
    OPERATORS,
    PATTERNS,
    PROP_DIMENSIONS,
    TIME_DIMENSIONS,
    date_range,
    metrics_for,
    question,
    values_of,
)
from tests.oracle.saved import NOTHING_SAVED, Saved
from tests.oracle.store import save, store
from tests.oracle.traffic import COMMITS, Event, traffic
from writer.archive.work import write_due
from writer.rollups.step import step

bounded = settings(
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
NOT_ROLLED = (
    *TIME_DIMENSIONS, *PROP_DIMENSIONS, "event:goal",
    "visit:entry_page_hostname", "visit:exit_page_hostname",
)  # fmt: skip
ROLLED = tuple(dimension for dimension in DIMENSIONS if dimension not in NOT_ROLLED)
ROLLUPS, ROWS = frozenset((Source.ROLLUPS,)), frozenset((Source.ROWS,))
ARCHIVE = frozenset((Source.ARCHIVE,))
REVENUE = ("total_revenue", "average_revenue")
IN_ANY_ROLLUP = ("visitors", "pageviews", "events")
GOALS: dict[str, list[Any]] = {
    "Signup": [["is", "event:name", ["signup"]]],
    "page": [["matches", "event:page", ["^/[aä]"]], ["is_not", "event:props:plan", ["pro"]]],
    "Scroll": [["has_done", ["is", "event:name", ["scroll"]]]],
}


@dataclass
class World:
    """Sites on one database, the rollups' stage moved by hand, and the API's answers."""

    runner: asyncio.Runner
    pool: AsyncEngine
    stage: psycopg.Connection[Any]
    names: Iterator[int]
    folder: Path
    archive: Archive

    def store(self, zone: str, rows: list[Event]) -> tuple[Site, list[Event]]:
        return self.runner.run(store(self.pool, f"site-{next(self.names)}", zone, rows))

    def save(self, found: Site, saved: Saved) -> Saved:
        return self.runner.run(save(self.pool, found.site_id, saved))

    def roll_up(self) -> None:
        while step(self.stage):
            pass

    def roll_up_commits(self, amount: int, alive: bool) -> None:
        """One after the other; then the stage works on, or has died."""
        for _ in range(amount):
            assert step(self.stage, most_events=-1)
        if not alive:
            self.stage.execute("update rollup_progress set looked_at = null")

    def archive_days(self, site_id: int, weekdays: set[int]) -> None:
        """Those of a site that are rolled up, but for some."""
        write_due(self.stage, self.folder, MEMORY_MB, LONG_AFTER)
        self.stage.execute(
            "delete from archive_file where site_id = %s"
            " and not extract(isodow from day)::int = any(%s::int[])",
            [site_id, list(weekdays)],
        )

    def ask(self, found: Site, asked: dict[str, Any], allowed: frozenset[Source]) -> Answer:
        wire = {"site_id": found.key, "include": {"total_rows": True}, **asked}
        return self.runner.run(self._ask(found, msgspec.convert(wire, Question), allowed))

    async def _ask(self, found: Site, wire: Question, allowed: frozenset[Source]) -> Answer:
        async with self.pool.connect() as db:
            return await answer(db, found, wire, datetime.now(UTC), 20.0, self.archive, allowed)


@pytest.fixture
def world(database: str, tmp_path: Path) -> Iterator[World]:
    with asyncio.Runner() as runner, psycopg.connect(database, autocommit=True) as stage:
        stack = AsyncExitStack()
        pool = runner.run(stack.enter_async_context(open_pool(database, 1)))
        archive = Archive(tmp_path, MEMORY_MB, 1)
        yield World(runner, pool, stage, count(), tmp_path, archive)
        archive.close()
        runner.run(stack.aclose())


def check(
    world: World,
    found: Site,
    rows: list[Event],
    asked: dict[str, Any],
    allowed: frozenset[Source],
    saved: Saved = NOTHING_SAVED,
) -> Answer:
    given_answer = world.ask(found, asked, allowed)
    event(" and ".join(given_answer.meta.sources))
    results = [msgspec.to_builtins(row) for row in given_answer.results]
    for row in results:
        row["metrics"] = [_amount(value) for value in row["metrics"]]
    expected, total = numbers.answer(rows, given_answer.meta.as_of, asked, saved)
    assert results == expected, (asked, allowed)
    assert given_answer.meta.total_rows == total, (asked, allowed)
    return given_answer


def _amount(value: Any) -> Any:
    """Revenue without how it is written."""
    if not isinstance(value, dict):
        return value
    return {"currency": value["currency"], "value": value["value"]}


@st.composite
def rolled_question(draw: st.DrawFn, events: list[Event]) -> dict[str, Any]:
    """What rollups can answer."""
    time = draw(st.lists(st.sampled_from(TIME_DIMENSIONS), max_size=2, unique=True))
    hourly = "time:hour" in time
    others = draw(st.lists(st.sampled_from(("event:name",) if hourly else ROLLED), max_size=1))
    dimensions = draw(st.permutations([*time, *others]))
    known = [m for m in metrics_for(dimensions) if m not in REVENUE]
    metrics = draw(st.lists(st.sampled_from(known), min_size=1, max_size=5, unique=True))
    days = sorted(draw(st.sampled_from(events))["day"] for _ in range(2))
    asked: dict[str, Any] = {
        "metrics": metrics,
        "dimensions": dimensions,
        "date_range": [day.isoformat() for day in days],
    }
    if draw(st.booleans()):
        by = st.sampled_from([*metrics, *dimensions])
        asked["order_by"] = [[draw(by), draw(st.sampled_from(("asc", "desc")))]]
    if draw(st.booleans()):
        limit, offset = draw(st.integers(1, 3)), draw(st.integers(0, 3))
        asked["pagination"] = {"limit": limit, "offset": offset}
    return asked


@st.composite
def question_by_one(draw: st.DrawFn, events: list[Event]) -> dict[str, Any]:
    """With filters by the one dimension that there is, or by one that there is not."""
    asked = draw(rolled_question(events))
    others = [d for d in asked["dimensions"] if d not in TIME_DIMENSIONS]
    dimension = others[0] if others else draw(st.sampled_from(ROLLED))
    leaf = st.builds(
        lambda operator, values: [operator, dimension, values],
        st.sampled_from(("is", "is_not", "contains")),
        st.lists(st.sampled_from(values_of(dimension)), min_size=1, max_size=2),
    )
    tree = st.one_of(leaf, leaf.map(lambda part: ["not", part]))
    return asked | {"filters": draw(st.lists(tree, min_size=1, max_size=2))}


@settings(bounded, max_examples=10)
@given(data=st.data())
def test_filters_by_the_one_dimension_choose_among_its_rollups(
    world: World, data: st.DataObject
) -> None:
    zone, rows = data.draw(traffic())
    found, placed = world.store(zone, rows)
    world.roll_up()
    for _ in range(8):
        asked = data.draw(question_by_one(rows))
        check(world, found, placed, asked, ALL_SOURCES)


@settings(bounded, max_examples=10)
@given(data=st.data())
def test_rollups_alone_answer_as_the_oracle_does(world: World, data: st.DataObject) -> None:
    zone, rows = data.draw(traffic())
    found, placed = world.store(zone, rows)
    world.roll_up()
    for _ in range(8):
        asked = data.draw(rolled_question(rows))
        given_answer = check(world, found, placed, asked, ROLLUPS)
        assert given_answer.meta.sources == ["rollups"]
        check(world, found, placed, asked, ROWS)


@settings(bounded, max_examples=10)
@given(data=st.data())
def test_what_rollups_lack_is_counted_from_rows(world: World, data: st.DataObject) -> None:
    world.roll_up()
    zone, rows = data.draw(traffic())
    found, placed = world.store(zone, rows)
    alive = data.draw(st.booleans())
    world.roll_up_commits(data.draw(st.integers(1, COMMITS)), alive)
    for _ in range(8):
        asked = data.draw(rolled_question(rows))
        if data.draw(st.booleans()):
            asked["date_range"] = data.draw(date_range(rows))
        check(world, found, placed, asked, ALL_SOURCES)


@settings(bounded, max_examples=10)
@given(data=st.data())
def test_rollups_archive_and_rows_share_out_the_days_of_any_question(
    world: World, data: st.DataObject
) -> None:
    world.roll_up()
    zone, rows = data.draw(traffic())
    found, placed = world.store(zone, rows)
    world.stage.execute(DAYS)
    archived = data.draw(st.integers(1, COMMITS))
    world.roll_up_commits(archived, alive=True)
    world.archive_days(found.site_id, data.draw(st.sets(st.integers(1, 7), min_size=3)))
    more = data.draw(st.integers(0, COMMITS - archived))
    world.roll_up_commits(more, alive=data.draw(st.booleans()))
    for _ in range(8):
        check(world, found, placed, data.draw(question(rows)), ALL_SOURCES)


@settings(bounded, max_examples=1)
@given(data=st.data())
def test_beyond_the_one_row_over_days_of_nothing_each_source_has_none(
    world: World, data: st.DataObject
) -> None:
    zone, rows = data.draw(traffic())
    found, placed = world.store(zone, rows)
    world.stage.execute(DAYS)
    world.roll_up()
    for offset in (0, 1):
        asked = {
            "metrics": ["pageviews"],
            "dimensions": [],
            "date_range": ["2001-01-01", "2001-01-02"],
            "filters": [],
            "pagination": {"limit": 1, "offset": offset},
        }
        for allowed in (ROWS, ROLLUPS, ARCHIVE):
            check(world, found, placed, asked, allowed)


@pytest.mark.parametrize("operator", OPERATORS)
@settings(bounded, max_examples=1)
@given(data=st.data())
def test_every_dimension_is_filtered_alike_by_each_source_alone(
    world: World, operator: str, data: st.DataObject
) -> None:
    zone, rows = data.draw(traffic())
    found, placed = world.store(zone, rows)
    saved = world.save(found, Saved(GOALS))
    world.stage.execute(DAYS)
    world.roll_up()
    world.archive_days(found.site_id, set(range(1, 8)))
    for dimension in (*FILTERED, "event:goal"):
        for tree in data.draw(filters_by(dimension, operator)):
            asked = data.draw(grouped_by(dimension, tree, rows))
            check(world, found, placed, asked, ROWS, saved)
            check(world, found, placed, asked, ARCHIVE, saved)
            if dimension in ROLLED:
                asked["metrics"] = list(IN_ANY_ROLLUP)
                check(world, found, placed, asked, ROLLUPS, saved)


@st.composite
def filters_by(draw: st.DrawFn, dimension: str, operator: str) -> list[list[Any]]:
    """Of one operator, with each of its modifiers."""
    if "matches" in operator:
        patterns = st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=2)
        return [[operator, dimension, draw(patterns)]]
    known = tuple(GOALS) if dimension == "event:goal" else values_of(dimension)
    values = draw(st.lists(st.sampled_from(known), min_size=1, max_size=3))
    return [[operator, dimension, values, {"case_sensitive": each}] for each in (True, False)]


@st.composite
def grouped_by(
    draw: st.DrawFn, dimension: str, tree: list[Any], events: list[Event]
) -> dict[str, Any]:
    """All that can be asked by a dimension under a filter by it, over days of the site."""
    days = sorted(draw(st.sampled_from(events))["day"] for _ in range(2))
    return {
        "metrics": list(metrics_for([dimension], [tree])),
        "dimensions": [dimension],
        "date_range": [day.isoformat() for day in days],
        "filters": [tree],
    }
