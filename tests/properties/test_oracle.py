"""The answers from rows are the oracle's: every metric, dimension and filter."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from api.database import open_pool
from api.query.answer import answer
from api.query.wire import Question
from api.sites import Site
from tests.oracle import numbers
from tests.oracle.questions import (
    DIMENSIONS,
    FILTERED,
    OPERATORS,
    PATTERNS,
    date_range,
    metrics_for,
    question,
    saved_by_name,
    values_of,
)
from tests.oracle.saved import NOTHING_SAVED, Saved
from tests.oracle.store import save, store
from tests.oracle.traffic import ZONES, Event, long_visit, traffic

bounded = settings(
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)


@dataclass
class Sql:
    """The API's own answers, asked without HTTP. Every stored example is a site of its own."""

    runner: asyncio.Runner
    pool: AsyncEngine
    names: Iterator[int]

    def store(self, zone: str, rows: list[Event]) -> tuple[Site, list[Event]]:
        return self.runner.run(store(self.pool, f"site-{next(self.names)}", zone, rows))

    def save(self, found: Site, saved: Saved) -> Saved:
        return self.runner.run(save(self.pool, found.site_id, saved))

    def ask(self, found: Site, asked: dict[str, Any]) -> tuple[list[Any], int | None, int]:
        """(results, total rows, as of which commit)."""
        wire = {"site_id": found.key, "include": {"total_rows": True}, **asked}
        return self.runner.run(self._ask(found, msgspec.convert(wire, Question)))

    async def _ask(self, found: Site, wire: Question) -> tuple[list[Any], int | None, int]:
        async with self.pool.connect() as db:
            given_answer = await answer(db, found, wire, datetime.now(UTC), 20.0)
        plain = msgspec.to_builtins(given_answer)
        for row in plain["results"]:
            row["metrics"] = [_amount(value) for value in row["metrics"]]
        return plain["results"], plain["meta"]["total_rows"], plain["meta"]["as_of"]


@pytest.fixture
def sql(database: str) -> Iterator[Sql]:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        pool = runner.run(stack.enter_async_context(open_pool(database, 1)))
        yield Sql(runner, pool, count())
        runner.run(stack.aclose())


def _amount(value: Any) -> Any:
    """Revenue without how it is written."""
    if not isinstance(value, dict):
        return value
    return {"currency": value["currency"], "value": value["value"]}


def check(
    sql: Sql,
    found: Site,
    rows: list[Event],
    asked: dict[str, Any],
    saved: Saved = NOTHING_SAVED,
) -> None:
    results, total, commit = sql.ask(found, asked)
    expected, expected_total = numbers.answer(rows, commit, asked, saved)
    assert results == expected, asked
    assert total == expected_total, asked


@settings(bounded, max_examples=25)
@given(data=st.data())
def test_any_question_gets_the_oracles_answer(sql: Sql, data: st.DataObject) -> None:
    zone, rows = data.draw(traffic())
    found, placed = sql.store(zone, rows)
    saved = sql.save(found, data.draw(saved_by_name()))
    for _ in range(8):
        check(sql, found, placed, data.draw(question(rows, saved)), saved)


@settings(bounded, max_examples=2)
@given(data=st.data())
def test_every_metric_by_every_dimension_is_the_oracles(sql: Sql, data: st.DataObject) -> None:
    zone, rows = data.draw(traffic())
    found, placed = sql.store(zone, rows)
    saved = sql.save(found, Saved(GOALS))
    for dimension in DIMENSIONS:
        asked = {
            "metrics": list(metrics_for([dimension], ANY_GOAL)),
            "dimensions": [dimension],
            "date_range": data.draw(date_range(rows)),
            "filters": ANY_GOAL,
        }
        check(sql, found, placed, asked, saved)


@settings(bounded, max_examples=1)
@given(data=st.data())
def test_every_metric_under_every_filter_is_the_oracles(sql: Sql, data: st.DataObject) -> None:
    zone, rows = data.draw(traffic())
    found, placed = sql.store(zone, rows)
    saved = sql.save(found, Saved(GOALS))
    for place, dimension in enumerate(FILTERED):
        for operator in OPERATORS[place % 2 :: 2]:
            values = PATTERNS if "matches" in operator else values_of(dimension)
            tree = [operator, dimension, [data.draw(st.sampled_from(values))]]
            asked = {
                "metrics": list(metrics_for([], [*ANY_GOAL, tree])),
                "date_range": data.draw(date_range(rows)),
                "filters": [*ANY_GOAL, tree],
            }
            check(sql, found, placed, asked, saved)


@settings(bounded, max_examples=8)
@given(data=st.data())
def test_what_a_row_was_is_what_the_earlier_period_answers(sql: Sql, data: st.DataObject) -> None:
    zone, rows = data.draw(traffic())
    found, placed = sql.store(zone, rows)
    for _ in range(4):
        asked = data.draw(question(rows))
        asked["dimensions"] = [d for d in asked["dimensions"] if not d.startswith("time:")]
        asked["order_by"] = []
        asked["metrics"] = list(metrics_for(asked["dimensions"], asked["filters"]))
        earlier = {**asked, "date_range": data.draw(date_range(rows)), "pagination": {}}
        compared = {"mode": "custom", "date_range": earlier["date_range"]}
        include = {"comparisons": compared, "total_rows": True}
        results, _, commit = sql.ask(found, {**asked, "include": include})
        expected, _ = numbers.answer(placed, commit, earlier)
        before = {tuple(row["dimensions"]): row["metrics"] for row in expected}
        for row in results:
            was = row["comparison"]
            assert was["dimensions"] == row["dimensions"]
            there = before.get(tuple(row["dimensions"]))
            if there is not None:
                assert [_amount(value) for value in was["metrics"]] == there, (asked, earlier)
            else:
                assert not any(was["metrics"]), (asked, earlier)


@settings(bounded, max_examples=1)
@given(data=st.data())
def test_a_visitor_of_a_thousand_events_is_the_oracles(sql: Sql, data: st.DataObject) -> None:
    zone = data.draw(st.sampled_from(sorted(ZONES)))
    rows = [*long_visit(zone, 1, 1_000), *long_visit(zone, 2, 3)]
    found, placed = sql.store(zone, rows)
    saved = sql.save(found, Saved(GOALS))
    for _ in range(4):
        check(sql, found, placed, data.draw(question(rows, saved)), saved)


GOALS: dict[str, list[Any]] = {
    "Signup": [["is", "event:name", ["signup"]]],
    "Page": [["matches", "event:page", ["^/[aä]"]], ["is_not", "event:props:plan", ["pro"]]],
    "Everything": [["contains", "event:page", ["/"]]],
    "Engagement": [["has_done", ["is", "event:name", ["scroll"]]]],
}
ANY_GOAL: list[list[Any]] = [
    ["contains", "event:goal", ["Sign", "Eng"]],
    ["contains", "event:page", ["/"]],
]
"""Filters with which every metric can be asked for."""
