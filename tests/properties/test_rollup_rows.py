"""The rollups against naive ones, whatever arrives in whatever order and steps."""

from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.oracle.traffic import COMMITS, Event, traffic
from tests.rollup_world import Naive, commit, connect, stored_days, stored_hours
from tests.writer_world import put_site
from writer.rollups.rebuild import find_days, rebuild, verify
from writer.rollups.step import step
from writer.rollups.sums import Sums

KEYS = ("$.a/b", "n", "plan")
_ONE_BY_ONE = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def sums() -> Any:
    """One engine for all examples."""
    made = Sums()
    yield made
    made.close()


@_ONE_BY_ONE
@given(told=traffic(), steps=st.lists(st.booleans(), min_size=COMMITS, max_size=COMMITS))
def test_events_late_shuffled_split_and_replaced_give_the_rows_of_a_naive_count(
    database: str, sums: Sums, told: tuple[str, list[Event]], steps: list[bool]
) -> None:
    _, events = told
    site_id = put_site(database, f"{uuid4()}.example", props=list(KEYS))
    with connect(database) as connection:
        for number, now in enumerate(steps, 1):
            come = [_new(event) for event in events if event["commit_in"] == number]
            gone = [event for event in events if event["commit_out"] == number]
            commit(connection, site_id, come, gone)
            if now or number == COMMITS:
                assert step(connection, sums)
                _compare(connection, site_id, _standing(events, number))
        for of in find_days(connection, site_id)[-1:]:
            assert verify(connection, of, sums) is None
            assert rebuild(connection, of, sums)
        _compare(connection, site_id, _standing(events, COMMITS))


def _compare(connection: Any, site_id: int, events: list[Event]) -> None:
    naive = Naive(events, KEYS)
    assert stored_days(connection, site_id) == dict(naive.days)
    assert stored_hours(connection, site_id) == dict(naive.hours)


def _standing(events: list[Event], at: int) -> list[Event]:
    return [
        event
        for event in events
        if event["bot"] is None
        and event["commit_in"] <= at
        and (event["commit_out"] is None or event["commit_out"] > at)
    ]


def _new(event: Event) -> Event:
    return {name: value for name, value in event.items() if name not in ("commit_in", "commit_out")}
