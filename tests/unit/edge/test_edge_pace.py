"""How much the drain sends at a time, and how it rests."""

import pytest

from edge.drain.pace import LEAST_BYTES, Pace
from edge.spool.sending import SLICE_BYTES

MB = 1_000_000


def test_a_slice_is_small_while_nothing_is_known_of_the_way() -> None:
    assert Pace(5 * MB, 0.5).slice_bytes == LEAST_BYTES


def test_a_slice_stays_small_on_a_short_way() -> None:
    pace = Pace(5 * MB, 0.5)
    pace.saw_round_trip(0.0005)
    assert pace.slice_bytes == LEAST_BYTES


def test_a_long_way_is_filled() -> None:
    pace = Pace(5 * MB, 0.5)
    pace.saw_round_trip(0.05)
    assert pace.slice_bytes == 250_000


def test_a_slice_never_outgrows_what_a_narrow_line_moves_within_the_deadline() -> None:
    pace = Pace(5 * MB, 0.5)
    pace.saw_round_trip(30.0)
    assert pace.slice_bytes == SLICE_BYTES


def test_one_answer_that_waited_behind_a_slice_makes_no_slice_larger() -> None:
    pace = Pace(5 * MB, 0.5)
    for took_s in (0.001, 0.2, 0.2):
        pace.saw_round_trip(took_s)
    assert pace.slice_bytes == LEAST_BYTES


def test_a_way_that_has_become_longer_is_noticed() -> None:
    pace = Pace(5 * MB, 0.5)
    pace.saw_round_trip(0.001)
    for _ in range(5):
        pace.saw_round_trip(0.1)
    assert pace.slice_bytes == 500_000


def test_a_quick_slice_is_followed_by_a_rest_that_keeps_the_rate() -> None:
    assert Pace(5 * MB, 0.5).rest_s(50_000, 0.001) == pytest.approx(0.009)


def test_a_slow_slice_is_followed_by_a_rest_as_long_as_its_share_asks() -> None:
    assert Pace(5 * MB, 0.25).rest_s(50_000, 2.0) == pytest.approx(6.0)


def test_the_way_there_and_back_asks_for_no_rest() -> None:
    pace = Pace(5 * MB, 0.5)
    pace.saw_round_trip(0.05)
    assert pace.rest_s(50_000, 0.06) == pytest.approx(0.01)


def test_a_drain_that_may_use_all_its_time_rests_only_to_keep_the_rate() -> None:
    assert Pace(5 * MB, 1.0).rest_s(50_000, 2.0) == 0
