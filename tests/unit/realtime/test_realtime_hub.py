from realtime.hub import Hub
from realtime.row import Row
from tests.unit.realtime.live_rows import MINUTE_MS, NOW_MINUTE, NOW_MS, row


def hub_of(*rows: Row) -> Hub:
    hub = Hub()
    hub.take(rows)
    return hub


def test_a_visitor_with_several_events_is_here_once() -> None:
    view = hub_of(row(0), row(10_000), row(20_000), row(0, visitor=2)).view(NOW_MS)
    assert view.here == 2


def test_a_visitor_leaves_five_minutes_after_the_last_event() -> None:
    hub = hub_of(row(0), row(60_000))
    assert hub.view(NOW_MS + 299_000).here == 1
    assert hub.view(NOW_MS + 300_000).here == 0


def test_a_drain_fills_past_minutes_and_makes_nobody_be_here_now() -> None:
    hub = hub_of(row(0, visitor=1))
    before = hub.view(NOW_MS)
    hub.take([row(10 * MINUTE_MS, visitor=2), row(10 * MINUTE_MS, visitor=3)])
    after = hub.view(NOW_MS)
    assert after.here == before.here == 1
    assert after.minutes[str(int(NOW_MINUTE) - 10)] == 2
    assert after.minutes[NOW_MINUTE] == 1


def test_an_older_event_does_not_bring_a_visitor_back_to_an_earlier_second() -> None:
    hub = hub_of(row(0))
    hub.take([row(290_000)])
    assert hub.view(NOW_MS + 200_000).here == 1


def test_the_window_holds_thirty_minutes_with_the_current_one() -> None:
    hub = hub_of(row(0), row(29 * MINUTE_MS), row(30 * MINUTE_MS))
    assert sorted(hub.view(NOW_MS).minutes) == sorted([str(int(NOW_MINUTE) - 29), NOW_MINUTE])


def test_time_alone_empties_the_window() -> None:
    hub = hub_of(row(0, page="/a", source="x", country="CH"))
    assert hub.view(NOW_MS).pages == {"/a": 1}
    view = hub.view(NOW_MS + 30 * MINUTE_MS)
    assert (view.here, view.minutes, view.moments) == (0, {}, {})
    assert (view.pages, view.sources, view.countries) == ({}, {}, {})


def test_a_long_sleep_forgets_what_the_window_never_showed() -> None:
    hub = hub_of()
    hub.view(NOW_MS)
    hub.take([row(-2 * MINUTE_MS)])
    assert hub.view(NOW_MS + 200 * MINUTE_MS).pages == {}


def test_an_event_ahead_of_the_clock_waits_for_its_minute() -> None:
    hub = hub_of(row(-2 * MINUTE_MS, page="/soon"))
    assert hub.view(NOW_MS).pages == {}
    assert hub.view(NOW_MS + 2 * MINUTE_MS).pages == {"/soon": 1}


def test_bots_and_engagement_are_in_no_number() -> None:
    view = hub_of(row(bot="curl"), row(name="engagement")).view(NOW_MS)
    assert (view.here, view.minutes, view.pages) == (0, {}, {})


def test_a_custom_event_is_a_visitor_and_no_pageview() -> None:
    view = hub_of(row(name="signup")).view(NOW_MS)
    assert (view.here, view.minutes) == (1, {})


def test_an_event_without_visitor_is_a_pageview_of_nobody() -> None:
    view = hub_of(row(visitor=None)).view(NOW_MS)
    assert (view.here, view.minutes) == (0, {NOW_MINUTE: 1})


def test_the_ten_largest_pages_are_shown_and_ties_go_by_code_point() -> None:
    pages = [row(page=f"/{letter}") for letter in "lkjihgfedcba"]
    view = hub_of(*pages, row(page="/z"), row(page="/z"), row(page="/É")).view(NOW_MS)
    assert list(view.pages.items()) == [("/z", 2)] + [(f"/{c}", 1) for c in "abcdefghi"]


def test_moments_are_five_seconds_of_the_last_five_minutes() -> None:
    hub = hub_of(row(0), row(4_000), row(295_000), row(296_000))
    moment = NOW_MS // 5_000
    assert hub.view(NOW_MS).moments == {
        str(moment - 59): 1,
        str(moment - 1): 1,
        str(moment): 1,
    }
