"""The API says from when a new time zone holds; the writer counts days by it."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from api.zones import takeover
from writer.known.zones import ZoneChange, day_of, us

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "Pacific/Kiritimati",
    "Etc/GMT+12",
)
FIVE_MINUTES = timedelta(minutes=5)

moments = st.datetimes(datetime(2023, 1, 1), datetime(2025, 12, 31)).map(
    lambda moment: moment.replace(tzinfo=UTC)
)
zones = st.sampled_from(ZONES)


def _histories(old: str, new: str, now: datetime) -> tuple[list[ZoneChange], list[ZoneChange]]:
    before = [ZoneChange(0, old)]
    starts_at = takeover(ZoneInfo(old), ZoneInfo(new), now)
    return before, [*before, ZoneChange(us(starts_at), new)]


@settings(max_examples=150, deadline=None, database=None)
@given(old=zones, new=zones, now=moments)
def test_the_past_and_the_events_a_little_ahead_keep_their_days(
    old: str, new: str, now: datetime
) -> None:
    before, after = _histories(old, new, now)
    for minutes in range(-36 * 60, 6, 47):
        ts = us(now + timedelta(minutes=minutes))
        assert day_of(before, ts).number == day_of(after, ts).number
    ahead = us(now + FIVE_MINUTES)
    assert day_of(before, ahead).number == day_of(after, ahead).number


@settings(max_examples=150, deadline=None, database=None)
@given(old=zones, new=zones, now=moments)
def test_days_follow_one_another_without_a_gap_or_an_overlap(
    old: str, new: str, now: datetime
) -> None:
    _, history = _histories(old, new, now)
    ts = us(now - timedelta(days=2))
    day = day_of(history, ts)
    for _ in range(8):
        following = day_of(history, day.ends_at)
        assert following.starts_at == day.ends_at
        # A zone more than a day ahead, as Kiritimati is of Baker Island, skips a date.
        assert following.number in (day.number + 1, day.number + 2)
        day = following


@settings(max_examples=100, deadline=None, database=None)
@given(old=zones, new=zones, now=moments)
def test_the_new_zone_holds_within_three_days(old: str, new: str, now: datetime) -> None:
    starts_at = takeover(ZoneInfo(old), ZoneInfo(new), now)
    assert now < starts_at <= now + timedelta(days=3)
