"""Which earlier period a range is compared with."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from api.query.comparisons import change, earlier_range
from api.query.ranges import Days, Instants
from api.query.wire import Comparisons, Mode, Money

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2024, 5, 14, 12, tzinfo=UTC)
PREVIOUS, YEAR = Comparisons(Mode.PREVIOUS_PERIOD), Comparisons(Mode.YEAR_OVER_YEAR)


def days(first: str, last: str) -> Days:
    return Days(date.fromisoformat(first), date.fromisoformat(last))


@pytest.mark.parametrize(
    ("wanted", "earlier"),
    [
        (days("2024-05-14", "2024-05-14"), days("2024-05-13", "2024-05-13")),
        (days("2024-04-01", "2024-04-30"), days("2024-03-02", "2024-03-31")),
        # A month that is not over: its fourteen days with the fourteen before.
        (days("2024-05-01", "2024-05-31"), days("2024-04-17", "2024-04-30")),
        (days("2025-01-01", "2025-01-03"), days("2024-12-31", "2024-12-31")),
    ],
)
def test_the_previous_period_is_as_many_days_before(wanted: Days, earlier: Days) -> None:
    assert earlier_range(wanted, PREVIOUS, BERLIN, NOW) == earlier


def test_a_year_before_keeps_the_dates() -> None:
    wanted = days("2024-02-29", "2024-03-31")
    assert earlier_range(wanted, YEAR, BERLIN, NOW) == days("2023-02-28", "2023-03-31")


@pytest.mark.parametrize(
    ("mode", "wanted", "earlier"),
    [
        # Monday to Tuesday; the two days before begin on a Saturday: the Monday before that.
        (Mode.PREVIOUS_PERIOD, ("2024-05-06", "2024-05-07"), ("2024-04-29", "2024-04-30")),
        # A week is moved by nothing.
        (Mode.PREVIOUS_PERIOD, ("2024-05-06", "2024-05-12"), ("2024-04-29", "2024-05-05")),
        # Monday the 6 May; a year before it was a Saturday: Monday the 8.
        (Mode.YEAR_OVER_YEAR, ("2024-05-06", "2024-05-12"), ("2023-05-08", "2023-05-14")),
        # Friday the 1 March 2024; a year before it was a Wednesday: Friday the 3.
        (Mode.YEAR_OVER_YEAR, ("2024-03-01", "2024-03-31"), ("2023-03-03", "2023-04-02")),
    ],
)
def test_weekdays_match_by_the_nearest_that_does_not_reach_into_the_range(
    mode: Mode, wanted: tuple[str, str], earlier: tuple[str, str]
) -> None:
    matching = Comparisons(mode, match_day_of_week=True)
    assert earlier_range(days(*wanted), matching, BERLIN, NOW) == days(*earlier)


def test_instants_are_compared_with_as_much_time_before() -> None:
    since, until = datetime(2024, 5, 14, 8, tzinfo=UTC), datetime(2024, 5, 14, 11, tzinfo=UTC)
    earlier = earlier_range(Instants(since, until), PREVIOUS, BERLIN, NOW)
    assert earlier == Instants(datetime(2024, 5, 14, 5, tzinfo=UTC), since)


def test_instants_of_a_year_before_are_at_the_same_local_time() -> None:
    # 0:30 on the 31 March 2024 is before the clock changes; in 2023 it had changed on the 26.
    since, until = datetime(2024, 3, 30, 23, 30, tzinfo=UTC), datetime(2024, 3, 31, tzinfo=UTC)
    earlier = earlier_range(Instants(since, until), YEAR, BERLIN, NOW)
    assert earlier == Instants(
        datetime(2023, 3, 30, 22, 30, tzinfo=UTC), datetime(2023, 3, 30, 23, tzinfo=UTC)
    )


def test_instants_match_weekdays_too() -> None:
    # Two hours on a Tuesday; the two before are on that Tuesday. A year before it was a Sunday:
    # the Tuesday after is the nearest.
    since, until = datetime(2024, 5, 14, 8, tzinfo=UTC), datetime(2024, 5, 14, 10, tzinfo=UTC)
    matching = Comparisons(Mode.YEAR_OVER_YEAR, match_day_of_week=True)
    earlier = earlier_range(Instants(since, until), matching, BERLIN, NOW)
    assert earlier == Instants(
        datetime(2023, 5, 16, 8, tzinfo=UTC), datetime(2023, 5, 16, 10, tzinfo=UTC)
    )


@pytest.mark.parametrize(
    ("metric", "before", "after", "expected"),
    [
        ("visitors", 8, 9, 12),  # 12.5 %: halves go to the even
        ("visitors", 8, 11, 38),  # 37.5 %
        ("visitors", 0, 7, 100),
        ("visitors", 0, 0, 0),
        ("visitors", 4, 0, -100),
        ("views_per_visit", 1.25, 1.5, 20),
        ("bounce_rate", 40, 55, 15),
        ("bounce_rate", 0, 55, None),
        ("conversion_rate", 12.3, 12.5, 0.2),
        ("percentage", None, 12.5, None),
        ("time_on_page", None, 3, None),
        ("total_revenue", Money("EUR", 10.0, "", ""), Money("EUR", 12.5, "", ""), 25),
        ("total_revenue", Money("EUR", 10.0, "", ""), Money("USD", 12.5, "", ""), None),
    ],
)
def test_a_change_is_in_per_cent_or_in_points(
    metric: str,
    before: int | float | Money | None,
    after: int | float | Money | None,
    expected: int | float | None,
) -> None:
    assert change(metric, before, after) == expected
