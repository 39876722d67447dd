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
    date_range,
    metrics_for,
    question,
    values_of,
)
from tests.oracle.store import store
from tests.oracle.traffic import Event, traffic

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

    def ask(self, found: Site, asked: dict[str, Any]) -> tuple[list[Any], int | None, int]:
        """(results, total rows, as of which commit)."""
        wire = {"site_id": found.key, "include": {"total_rows": True}, **asked}
        return self.runner.run(self._ask(found, msgspec.convert(wire, Question)))

    async def _ask(self, found: Site, wire: Question) -> tuple[list[Any], int | None, int]:
        async with self.pool.connect() as db:
            given_answer = await answer(db, found, wire, datetime.now(UTC), 20.0)
        plain = msgspec.to_builtins(given_answer)
        return plain["results"], plain["meta"]["total_rows"], plain["meta"]["as_of"]


@pytest.fixture
def sql(database: str) -> Iterator[Sql]:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        pool = runner.run(stack.enter_async_context(open_pool(database, 1)))
        yield Sql(runner, pool, count())
        runner.run(stack.aclose())


def check(sql: Sql, found: Site, rows: list[Event], asked: dict[str, Any]) -> None:
    results, total, commit = sql.ask(found, asked)
    expected, expected_total = numbers.answer(rows, commit, asked)
    assert results == expected, asked
    assert total == expected_total, asked


@settings(bounded, max_examples=60)
@given(data=st.data())
def test_any_question_gets_the_oracles_answer(sql: Sql, data: st.DataObject) -> None:
    zone, rows = data.draw(traffic())
    found, placed = sql.store(zone, rows)
    for _ in range(8):
        check(sql, found, placed, data.draw(question(rows)))


@settings(bounded, max_examples=10)
@given(data=st.data())
def test_every_metric_by_every_dimension_is_the_oracles(sql: Sql, data: st.DataObject) -> None:
    zone, rows = data.draw(traffic())
    found, placed = sql.store(zone, rows)
    for dimension in DIMENSIONS:
        asked = {
            "metrics": list(metrics_for([dimension])),
            "dimensions": [dimension],
            "date_range": data.draw(date_range(rows)),
        }
        check(sql, found, placed, asked)


@settings(bounded, max_examples=3)
@given(data=st.data())
def test_every_metric_under_every_filter_is_the_oracles(sql: Sql, data: st.DataObject) -> None:
    zone, rows = data.draw(traffic())
    found, placed = sql.store(zone, rows)
    for dimension in (d for d in DIMENSIONS if not d.startswith("time:")):
        value = data.draw(st.sampled_from(values_of(dimension)))
        for operator in ("is", "is_not", "contains"):
            asked = {
                "metrics": list(metrics_for([])),
                "date_range": data.draw(date_range(rows)),
                "filters": [[operator, dimension, [value]]],
            }
            check(sql, found, placed, asked)
