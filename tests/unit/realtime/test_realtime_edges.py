from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from realtime.edges import Answer, Edges, Horizon, answer
from shared.completeness import Found

NOW = datetime(2024, 5, 15, 12, tzinfo=UTC)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000)


def found(edge: str = "fra", heard: timedelta = SECOND, **columns: Any) -> Found:
    """An edge that was heard so long ago and is final up to then."""
    row: dict[str, Any] = {
        "edge": edge,
        "added_at": NOW - 30 * DAY,
        "last_heard": NOW - heard,
        "retired_at": None,
        "spooled_batches": 0,
        "spooled_bytes": 0,
        "oldest_spooled_at": None,
        "in_flight_batches": 0,
        "lost_batches": 0,
        "passed_boots": 0,
        "final_until": NOW - heard,
        "asked_at": NOW,
        "commit_no": 7,
    }
    return Found(**{**row, **columns})


def horizon(final_until: int | None, commit_no: int) -> Answer:
    return Answer(Edges({}, final_until), commit_no)


def test_the_horizon_waits_for_a_commit_that_is_stored_and_not_yet_shown() -> None:
    watched = Horizon()
    watched.note(horizon(1_000, 5))
    assert watched.as_of(5).final_until == 1_000
    watched.note(horizon(2_000, 7))
    assert watched.as_of(6).final_until == 1_000
    assert watched.as_of(7).final_until == 2_000


def test_a_horizon_that_waits_is_not_put_off_by_newer_ones() -> None:
    watched = Horizon()
    watched.note(horizon(1_000, 5))
    watched.as_of(5)
    for second in range(2, 9):
        watched.note(horizon(second * 1_000, 5 + second))
    assert watched.as_of(7).final_until == 2_000


def test_a_nearer_horizon_is_told_at_once() -> None:
    watched = Horizon()
    watched.note(horizon(5_000, 5))
    watched.as_of(5)
    watched.note(horizon(6_000, 9))
    watched.note(horizon(3_000, 9))
    assert watched.as_of(5).final_until == 3_000
    assert watched.as_of(9).final_until == 3_000


def test_where_no_edge_is_waited_for_there_is_no_horizon() -> None:
    assert answer([], 5.0).edges == Edges()
    gone = found(retired_at=NOW - DAY)
    assert answer([gone], 5.0).edges == Edges()


def test_an_edge_that_keeps_up_says_nothing_more_than_that() -> None:
    edges = answer([found(in_flight_batches=3)], 5.0).edges
    assert edges.final_until == ms(NOW - SECOND)
    state = edges.states["fra"]
    assert (state.silent_since, state.behind_since, state.in_flight_batches) == (None, None, 0)


def test_an_edge_that_is_behind_says_since_when_and_what_it_holds() -> None:
    held: dict[str, Any] = {
        "spooled_batches": 3,
        "oldest_spooled_at": NOW - 60 * SECOND,
        "in_flight_batches": 2,
    }
    state = answer([found(final_until=NOW - 60 * SECOND, **held)], 5.0).edges.states["fra"]
    assert (state.behind_since, state.oldest_at) == (ms(NOW - 60 * SECOND),) * 2
    assert (state.spooled_batches, state.in_flight_batches) == (3, 2)


@pytest.mark.parametrize(("heard", "holds_up"), [(6 * DAY, True), (7 * DAY, False)])
def test_a_silent_edge_holds_the_horizon_until_it_is_written_off(
    heard: timedelta, holds_up: bool
) -> None:
    edges = answer([found("fra", heard), found("zrh")], 5.0).edges
    assert edges.final_until == ms(NOW - (heard if holds_up else SECOND))
    fra = edges.states["fra"]
    assert fra.silent_since == ms(NOW - heard)
    assert fra.written_off_at == ms(NOW - heard + 7 * DAY)
    assert (fra.behind_since is not None) is holds_up
