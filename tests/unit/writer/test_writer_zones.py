"""Site-local days and hours where zones and their changes make them odd."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from shared.clock import US_PER_HOUR
from writer.days import fit
from writer.known.zones import Day, ZoneChange, as_date, day_of, day_start, hour_of, us

BERLIN = (ZoneChange(0, "Europe/Berlin"),)


def at(text: str) -> int:
    return us(datetime.fromisoformat(text))


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", "2026-03-29", 23),
        ("Europe/Berlin", "2026-10-25", 25),
        ("Europe/Berlin", "2026-06-10", 24),
        ("America/Sao_Paulo", "2018-11-04", 23),
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
        ("UTC", "2026-03-29", 24),
    ],
)
def test_a_day_lasts_as_long_as_its_zone_says(zone: str, day: str, hours: float) -> None:
    noon = us(datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=ZoneInfo(zone)))
    found = day_of((ZoneChange(0, zone),), noon)
    assert as_date(found.number) == date.fromisoformat(day)
    assert found.ends_at - found.starts_at == hours * US_PER_HOUR


def test_a_skipped_midnight_begins_with_the_first_instant_after_it() -> None:
    start = day_start(ZoneInfo("America/Sao_Paulo"), date(2018, 11, 4))
    assert start == at("2018-11-04T03:00:00Z")


def test_a_day_that_a_zone_skips_has_no_instant() -> None:
    apia = (ZoneChange(0, "Pacific/Apia"),)
    before, after = at("2011-12-30T09:59:59Z"), at("2011-12-30T10:00:00Z")
    assert as_date(day_of(apia, before).number) == date(2011, 12, 29)
    assert as_date(day_of(apia, after).number) == date(2011, 12, 31)


def test_a_repeated_hour_has_one_label() -> None:
    assert hour_of(BERLIN, at("2026-10-25T00:30:00Z")) == 2
    assert hour_of(BERLIN, at("2026-10-25T01:30:00Z")) == 2


@pytest.mark.parametrize("new", ["Asia/Tokyo", "America/New_York"])
def test_a_new_zone_holds_from_its_own_midnight_and_no_instant_is_without_a_day(new: str) -> None:
    change = us(datetime(2026, 6, 10, tzinfo=ZoneInfo(new)))
    zones = (ZoneChange(0, "UTC"), ZoneChange(change, new))
    before, after = day_of(zones, change - 1), day_of(zones, change)
    assert (as_date(before.number), before.ends_at) == (date(2026, 6, 9), change)
    assert (as_date(after.number), after.starts_at) == (date(2026, 6, 10), change)
    assert day_of(zones, before.starts_at) == before


def test_a_day_that_stands_covers_its_instants_whatever_the_zone_says_now() -> None:
    standing = [Day(10, 0, 100)]
    assert fit(Day(11, 50, 150), 60, standing) == Day(10, 0, 100)


def test_a_new_day_gives_way_to_the_days_that_stand() -> None:
    standing = [Day(10, 0, 100), Day(12, 200, 300)]
    assert fit(Day(10, 90, 210), 150, standing) == Day(11, 100, 200)
    assert fit(Day(12, 90, 210), 150, standing) == Day(11, 100, 200)


def test_without_a_number_left_an_instant_belongs_to_the_earlier_day() -> None:
    standing = [Day(10, 0, 100), Day(11, 200, 300)]
    assert fit(Day(10, 90, 210), 150, standing) == Day(10, 0, 100)
