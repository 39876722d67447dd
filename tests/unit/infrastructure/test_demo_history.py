"""The demo's history: the same for a day at every start, sound, and shaped like a real site's."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import msgspec

from infrastructure.demo.history import DAYS, PastEvent, days_until, events_of
from shared.beacon import Caller
from shared.beacon_reader import read

SITE = "demo.example"
NOW = datetime(2026, 11, 22, 16, 30, tzinfo=UTC)
MONTH = [NOW.date() - timedelta(days=ago) for ago in range(30)]


def by_day() -> dict[date, list[PastEvent]]:
    return {day: events_of(day, SITE, 400) for day in MONTH}


def test_a_day_is_the_same_at_every_start() -> None:
    assert events_of(MONTH[3], SITE) == events_of(MONTH[3], SITE)
    assert events_of(MONTH[3], SITE) != events_of(MONTH[4], SITE)


def test_a_days_events_lie_within_it_in_order_and_each_has_an_id_of_its_own() -> None:
    events = events_of(MONTH[0], SITE)
    begins_ms = datetime(2026, 11, 22, tzinfo=UTC).timestamp() * 1_000
    assert all(0 <= event.ts - begins_ms < 86_400_000 for event in events)
    assert all(one.ts <= other.ts for one, other in pairwise(events))
    assert len({event.event_id for event in events}) == len(events)


def test_whole_days_of_any_time_zone_lie_in_the_history() -> None:
    days = days_until(NOW)
    assert days[-1] == NOW.date()
    assert days[0] <= NOW.date() - timedelta(days=DAYS + 1)
    assert all(later - day == timedelta(days=1) for day, later in pairwise(days))


def test_everything_in_it_is_sound_by_the_ingest_contract() -> None:
    caller = Caller(int(NOW.timestamp() * 1e6), keyed=True, may_import=True)
    events = events_of(MONTH[7], SITE)
    for start in range(0, len(events), 100):
        some = events[start : start + 100]
        sound = read(msgspec.json.encode(some), caller)
        assert sound.faults == []


def test_weekends_are_quieter_and_one_day_of_the_month_is_loud() -> None:
    counts = {day: len(events) for day, events in by_day().items()}
    loudest, *others = sorted(counts.values(), reverse=True)
    assert loudest > 2 * others[2]
    workdays = sorted(count for day, count in counts.items() if day.weekday() < 5)
    weekends = sorted(count for day, count in counts.items() if day.weekday() >= 5)
    assert workdays[len(workdays) // 2] > weekends[len(weekends) // 2]


def test_the_loud_day_is_one_articles() -> None:
    days = by_day()
    loudest = max(days.values(), key=len)
    entries = Counter(event.url.split("?")[0] for event in loudest)
    assert entries.most_common(1)[0][0].endswith("/blog/how-we-count")
    assert any("ycombinator" in event.referrer for event in loudest)


def test_nights_are_quieter_than_afternoons() -> None:
    hours = Counter(event.ts // 3_600_000 % 24 for events in by_day().values() for event in events)
    assert hours[15] > 1.4 * hours[3]


def test_campaigns_purchases_and_many_visitors_are_in_it() -> None:
    events = [event for day in MONTH for event in events_of(day, SITE)]
    assert any("utm_campaign=november-harvest" in event.url for event in events)
    assert sum(event.revenue is not None for event in events) > 100
    assert {event.name for event in events} >= {"pageview", "purchase", "signup", "add to basket"}
    assert len({event.user_agent for event in events}) > 10
    assert len({event.ip for event in events}) > 1_000
