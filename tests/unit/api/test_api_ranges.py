"""From a date range's name to days, and from days to labels."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from api.query.labels import MAX_LABELS, time_labels
from api.query.ranges import Days, Instants, ends, read_range, resolve_time
from api.zones import midnight, takeover
from shared.errors import Refusal

UTC_ZONE = ZoneInfo("UTC")
NOW = datetime(2024, 5, 15, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("day", "2024-05-15", "2024-05-15"),
        ("7d", "2024-05-08", "2024-05-14"),
        ("28d", "2024-04-17", "2024-05-14"),
        ("30d", "2024-04-15", "2024-05-14"),
        ("91d", "2024-02-14", "2024-05-14"),
        ("month", "2024-05-01", "2024-05-31"),
        ("6mo", "2023-11-01", "2024-04-30"),
        ("12mo", "2023-05-01", "2024-04-30"),
        ("1d", "2024-05-14", "2024-05-14"),
        ("365d", "2023-05-16", "2024-05-14"),
        ("1mo", "2024-04-01", "2024-04-30"),
        ("100mo", "2016-01-01", "2024-04-30"),
        ("year", "2024-01-01", "2024-12-31"),
        ("all", "2021-03-04", "2024-05-15"),
    ],
)
def test_a_name_stands_for_days(name: str, first: str, last: str) -> None:
    wanted = read_range(name, UTC_ZONE, NOW, date(2021, 3, 4))
    assert wanted == Days(date.fromisoformat(first), date.fromisoformat(last))


def test_the_last_24_hours_end_at_the_instant() -> None:
    wanted = read_range("24h", UTC_ZONE, NOW, None)
    assert wanted == Instants(NOW - timedelta(hours=24), NOW)
    assert resolve_time(wanted) == "time:hour"


@pytest.mark.parametrize("name", ["0d", "07d", "5001d", "101mo", "7D", "d", "-7d", "7w", "7d "])
def test_a_name_that_there_is_not_is_refused(name: str) -> None:
    with pytest.raises(Refusal) as refused:
        read_range(name, UTC_ZONE, NOW, None)
    assert refused.value.field == "date_range"


def test_the_month_of_december_ends_with_the_year() -> None:
    wanted = read_range("month", UTC_ZONE, datetime(2024, 12, 31, tzinfo=UTC), None)
    assert wanted == Days(date(2024, 12, 1), date(2024, 12, 31))


def test_today_is_the_sites_own() -> None:
    late = datetime(2024, 5, 15, 23, tzinfo=UTC)
    assert read_range("day", ZoneInfo("Asia/Tokyo"), late, None) == Days(
        date(2024, 5, 16), date(2024, 5, 16)
    )


def test_the_last_second_named_is_in_the_range_whole() -> None:
    wanted = read_range(
        ["2024-01-01T12:00:00+02:00", "2024-01-01T15:59:59+02:00"], UTC_ZONE, NOW, None
    )
    assert wanted == Instants(
        datetime(2024, 1, 1, 10, tzinfo=UTC), datetime(2024, 1, 1, 14, tzinfo=UTC)
    )


@pytest.mark.parametrize(
    ("days", "dimension"),
    [
        (1, "time:hour"), (2, "time:hour"), (3, "time:day"), (40, "time:day"),
        (41, "time:week"), (364, "time:week"), (365, "time:month"),
    ],
)  # fmt: skip
def test_time_stands_for_a_unit_by_the_length_of_the_range(days: int, dimension: str) -> None:
    first = date(2024, 1, 1)
    assert resolve_time(Days(first, first + timedelta(days=days - 1))) == dimension


def test_the_ends_of_a_range_have_the_sites_offsets() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert ends(Days(date(2024, 3, 31), date(2024, 3, 31)), berlin) == [
        "2024-03-31T00:00:00+01:00",
        "2024-03-31T23:59:59+02:00",
    ]


def _hours(zone: str, day: str) -> list[str]:
    day_ = date.fromisoformat(day)
    labels = time_labels("time:hour", Days(day_, day_), ZoneInfo(zone))
    assert all(text.startswith(day) for text in labels)
    return [text[11:13] for text in labels]


def test_a_skipped_hour_has_no_label() -> None:
    hours = _hours("Europe/Berlin", "2024-03-31")
    assert len(hours) == 23
    assert "02" not in hours


def test_a_repeated_hour_has_one_label() -> None:
    assert _hours("Europe/Berlin", "2024-10-27") == [f"{hour:02}" for hour in range(24)]


@pytest.mark.parametrize("day", ["2024-04-07", "2024-10-06"])
def test_half_an_hour_more_or_less_leaves_every_label(day: str) -> None:
    assert _hours("Australia/Lord_Howe", day) == [f"{hour:02}" for hour in range(24)]


def test_an_odd_offset_has_whole_hours_of_its_own() -> None:
    assert _hours("Asia/Kathmandu", "2024-02-29") == [f"{hour:02}" for hour in range(24)]


def test_a_skipped_day_has_no_label() -> None:
    wanted = Days(date(2011, 12, 29), date(2011, 12, 31))
    labels = time_labels("time:day", wanted, ZoneInfo("Pacific/Apia"))
    assert labels == ["2011-12-29", "2011-12-31"]


def test_a_range_of_instants_has_the_hours_that_it_touches() -> None:
    wanted = Instants(
        datetime(2024, 1, 1, 10, 59, tzinfo=UTC), datetime(2024, 1, 1, 12, 0, 1, tzinfo=UTC)
    )
    assert [text[11:13] for text in time_labels("time:hour", wanted, UTC_ZONE)] == [
        "10",
        "11",
        "12",
    ]


def test_weeks_are_named_by_their_monday_and_months_by_their_first() -> None:
    wanted = Days(date(2024, 2, 28), date(2024, 3, 12))
    weeks = time_labels("time:week", wanted, UTC_ZONE)
    assert weeks == ["2024-02-26", "2024-03-04", "2024-03-11"]
    assert time_labels("time:month", wanted, UTC_ZONE) == ["2024-02-01", "2024-03-01"]


def test_too_many_labels_are_refused() -> None:
    wanted = Days(date(2000, 1, 1), date(2000, 1, 1) + timedelta(days=MAX_LABELS // 24 + 1))
    with pytest.raises(Refusal) as refused:
        time_labels("time:hour", wanted, UTC_ZONE)
    assert refused.value.field == "include.time_labels"


def test_a_midnight_that_is_skipped_is_the_first_instant_after_it() -> None:
    cairo = ZoneInfo("Africa/Cairo")
    assert midnight(cairo, date(2024, 4, 26)) == datetime(2024, 4, 25, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("old", "new", "starts_at"),
    [
        ("UTC", "Asia/Kathmandu", "2024-05-15T18:15+00:00"),
        ("UTC", "America/New_York", "2024-05-16T04:00+00:00"),
        ("Pacific/Kiritimati", "UTC", "2024-05-17T00:00+00:00"),
        ("Europe/Berlin", "Europe/Paris", "2024-05-15T22:00+00:00"),
        ("Pacific/Kiritimati", "Etc/GMT+12", "2024-05-17T12:00+00:00"),
        ("Etc/GMT+12", "Pacific/Kiritimati", "2024-05-16T10:00+00:00"),
    ],
)
def test_a_new_zone_takes_over_at_a_midnight_of_its_own(old: str, new: str, starts_at: str) -> None:
    assert takeover(ZoneInfo(old), ZoneInfo(new), NOW) == datetime.fromisoformat(starts_at)


def test_events_a_little_ahead_of_the_clock_begin_no_day_twice() -> None:
    now = datetime(2024, 5, 15, 23, 55, tzinfo=UTC)
    assert takeover(UTC_ZONE, ZoneInfo("Etc/GMT+1"), now) == datetime(2024, 5, 17, 1, tzinfo=UTC)
