from realtime.recent import FEED_LENGTH, Recent
from tests.unit.realtime.live_rows import NOW_MS, row


def test_the_newest_commit_stands_first() -> None:
    recent = Recent()
    recent.put([row(number=1)])
    recent.put([row(number=2), row(number=3)])
    assert [event.id[-1] for event in recent.events()] == ["3", "2", "1"]


def test_the_feed_is_bounded() -> None:
    recent = Recent()
    added = recent.put([row(number=n) for n in range(500)])
    assert len(added) == len(recent.events()) == FEED_LENGTH


def test_a_bot_is_in_the_feed_with_the_rule_that_matched_and_engagement_is_not() -> None:
    added = Recent().put([row(bot="curl"), row(name="engagement")])
    assert [event.bot for event in added] == ["curl"]


def test_an_event_is_late_when_it_happened_over_thirty_seconds_before_its_commit() -> None:
    on_time, late = row(30_000, stored_ms=NOW_MS), row(30_001, stored_ms=NOW_MS)
    assert [event.late for event in Recent().put([late, on_time])] == [False, True]


def test_an_event_whose_place_another_took_leaves_the_feed() -> None:
    recent = Recent()
    recent.put([row(number=1), row(number=2)])
    gone = row(number=1).event_id
    assert recent.drop({gone, "unknown"}) == [gone]
    assert [event.id[-1] for event in recent.events()] == ["2"]
