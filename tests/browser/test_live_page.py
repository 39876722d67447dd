"""The live page in Chromium, over a real API, gateway and database."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from playwright.sync_api import Browser, Page, WebSocket, expect

from tests.browser.long_tasks import WATCH, long_tasks_ms
from tests.browser.watched_site import WatchedSite, keep_picture, watched_site
from tests.integration.live_world import SITE, event

SOURCES = ["", "Google", "ChatGPT", "Hacker News", "Newsletter"]
COUNTRIES = ["CH", "DE", "FR", "JP", "BR", ""]
BUSY_S = 8
FROZEN_MS = 500
"""Beside other tests; `./run bench live_long_tasks` asks for 100, at 1,000 events a second."""
PAGES = ["/", "/pricing", "/docs/install", "/blog/an-outage-leaves-no-trace", "/shop/cart"]


@pytest.fixture
def watched(database: str, primary: str, scratch: Path) -> Iterator[WatchedSite]:
    with watched_site(database, primary, scratch) as started:
        yield started


@pytest.fixture
def page(watched: WatchedSite, chromium: Browser) -> Iterator[Page]:
    """The live page, connected."""
    context = watched.signed_in(chromium, viewport={"width": 1360, "height": 900})
    opened = watched.open(context)
    expect_live(opened)
    yield opened
    context.close()


def happened_in_gap(of: dict[str, Any]) -> bool:
    """Between three minutes and one minute ago."""
    ago_s: float = (datetime.now(UTC) - of["ts"]).total_seconds()
    return 60 < ago_s < 180


def expect_live(page: Page) -> None:
    expect(page.get_by_role("status").get_by_text("Live", exact=True)).to_be_visible()


def traffic(events: int, over_s: float = 1_700) -> list[dict[str, Any]]:
    """Many visitors on many pages, evenly over the last half hour."""
    return [
        event(
            number * over_s / events,
            visitor=number // 3,
            page=PAGES[number * number % 5],
            source=SOURCES[number % 5 if number % 2 else 0],
            country=COUNTRIES[number % 6 if number % 3 else 0],
            name="signup" if number % 17 == 5 else "pageview",
            bot="Googlebot" if number % 23 == 7 else None,
        )
        for number in range(events)
    ]


def test_a_wrong_password_is_said_and_a_right_one_leads_to_the_sites(
    watched: WatchedSite, chromium: Browser
) -> None:
    context = chromium.new_context(viewport={"width": 900, "height": 700})
    page = watched.open(context, "/")
    watched.sign_in(page, "not the password")
    expect(page.get_by_role("alert")).to_contain_text("E-mail or password is not right.")
    keep_picture(page, "sign-in")
    watched.sign_in(page)
    page.get_by_role("link", name=re.compile(SITE)).click()
    expect(page).to_have_url(f"{watched.url}/sites/{SITE}")
    page.get_by_role("link", name="Live").click()
    expect(page).to_have_url(f"{watched.url}/live?site={SITE}")
    expect_live(page)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    context.close()


def test_the_page_shows_what_is_stored_and_then_what_comes(
    watched: WatchedSite, page: Page
) -> None:
    watched.store.put(event(visitor=1, page="/pricing", source="ChatGPT", country="CH"))
    expect(page.get_by_test_id("here")).to_have_text("1")
    expect(page.locator(".card", has_text="Top pages")).to_contain_text("/pricing")
    expect(page.locator(".card", has_text="Top sources")).to_contain_text("ChatGPT")
    expect(page.locator(".card", has_text="Top countries")).to_contain_text("Switzerland")
    expect(page.get_by_role("log")).to_contain_text("/pricing")
    expect(page).to_have_title(re.compile("^1 · "))
    assert watched.complaints == []


def test_a_full_page_in_light_and_dark_and_on_a_phone(
    watched: WatchedSite, chromium: Browser
) -> None:
    watched.store.put(*traffic(600))
    for name, how in {
        "light": {"viewport": {"width": 1360, "height": 900}, "color_scheme": "light"},
        "dark": {"viewport": {"width": 1360, "height": 900}, "color_scheme": "dark"},
        "tablet": {"viewport": {"width": 820, "height": 1100}, "color_scheme": "light"},
        "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
    }.items():
        context = watched.signed_in(chromium, **how)
        page = watched.open(context)
        expect_live(page)
        expect(page.get_by_role("log").get_by_role("listitem").nth(20)).to_be_attached()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        expect(page.get_by_text("arrived later, filled in")).to_have_count(0)
        keep_picture(page, name)
        context.close()
    assert watched.complaints == []


@pytest.mark.parametrize("width", [390, 1280])
def test_the_numbers_of_a_busy_chart_stand_whole_beside_it(
    watched: WatchedSite, chromium: Browser, width: int
) -> None:
    # At one instant, which lies in one minute of the clock.
    at = event(90)["ts"]
    watched.store.put(*[event(visitor=number, ts=at) for number in range(1_800)])
    context = watched.signed_in(chromium, viewport={"width": width, "height": 900})
    page = watched.open(context)
    label = page.locator(".minutes svg text", has_text="2,000")
    expect(label).to_be_visible()
    inside = "text => text.getBoundingClientRect().left - text.ownerSVGElement.parentElement"
    assert label.evaluate(f"{inside}.getBoundingClientRect().left") >= 0
    keep_picture(page, f"busy-{width}")
    context.close()


def test_a_site_without_events_says_what_to_put_into_its_pages(
    watched: WatchedSite, page: Page
) -> None:
    empty = page.get_by_role("region", name="Waiting for the first event")
    expect(empty).to_be_visible()
    expect(empty.locator("code")).to_contain_text(f'data-site="{SITE}"')
    expect(page.locator("svg .floor")).to_have_count(0)
    keep_picture(page, "empty")
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    keep_picture(page, "empty-phone")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    empty.get_by_role("button", name="Copy").click()
    expect(empty.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == empty.locator("code").inner_text()
    watched.store.put(event())
    expect(empty).to_be_hidden()
    expect(page.get_by_test_id("here")).to_have_text("1")
    assert watched.complaints == []


def test_a_quiet_site_with_a_past_is_not_taken_for_a_new_one(
    watched: WatchedSite, page: Page
) -> None:
    watched.services["realtime"].stop()
    watched.store.put(event(7_200))
    # A gateway that begins now knows of nothing but the last half hour.
    watched.services["realtime"].start()
    watched.services["realtime"].wait_until_ready()
    page.reload()
    expect(page.get_by_role("region", name="Quiet just now")).to_be_visible()
    expect(page.get_by_text("Waiting for the first event")).to_have_count(0)
    page.get_by_role("link", name="Earlier numbers").click()
    expect(page).to_have_url(f"{watched.url}/sites/{SITE}")


def test_a_site_that_only_bots_visited_says_so(watched: WatchedSite, page: Page) -> None:
    watched.store.put(event(bot="curl"), event(bot="Googlebot"))
    expect(page.get_by_role("log")).to_contain_text("Only bots so far")
    page.get_by_role("switch", name="Show bots").check()
    expect(page.get_by_role("log")).to_contain_text("Googlebot")


def test_a_page_without_its_server_offers_to_try_again(watched: WatchedSite, page: Page) -> None:
    page.route("**/api/session", lambda route: route.abort())
    page.reload()
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer")
    keep_picture(page, "no-server")
    page.unroute("**/api/session")
    page.get_by_role("button", name="Try again").click()
    expect_live(page)


def test_a_gateway_that_cannot_be_reached_is_said_with_the_next_step(
    watched: WatchedSite, chromium: Browser
) -> None:
    context = watched.signed_in(chromium, viewport={"width": 900, "height": 700})
    watched.services["realtime"].kill()
    page = watched.open(context)
    expect(page.get_by_role("alert")).to_contain_text("MILLRACE_LIVE_URL")
    keep_picture(page, "no-gateway")
    context.close()


def test_bots_stay_behind_their_switch_and_late_events_are_marked(
    watched: WatchedSite, page: Page
) -> None:
    watched.store.put(event(page="/bot", bot="curl"), event(600, page="/late"))
    feed = page.get_by_role("log")
    expect(feed).to_contain_text("/late")
    expect(feed.get_by_text("late", exact=True)).to_be_visible()
    expect(feed).not_to_contain_text("/bot")
    page.get_by_role("switch", name="Show bots").check()
    expect(feed).to_contain_text("/bot")
    expect(feed).to_contain_text("curl")
    expect(page.get_by_test_id("here")).to_have_text("0")


def test_the_gap_of_an_outage_is_seen_and_fills_when_the_edge_is_heard_again(
    watched: WatchedSite, page: Page
) -> None:
    watched.store.put(*[each for each in traffic(3_000) if not happened_in_gap(each)])
    expect(page.get_by_test_id("here")).not_to_have_text("0")
    page.reload()
    watched.store.add_edge("fra-1", heard_ago_s=180, spooled=12)
    notice = page.get_by_role("status").get_by_text("Edge fra-1 has been silent since")
    expect(notice).to_be_visible()
    expect(notice).to_contain_text("12 batches")
    expect(page.locator(".minutes g.open")).to_be_attached()
    keep_picture(page, "outage")
    watched.store.put(*[each for each in traffic(3_000) if happened_in_gap(each)])
    with psycopg.connect(watched.store.url) as connection:
        connection.execute(
            "UPDATE edge SET last_heard = now() + interval '1 hour', spooled_batches = 0"
        )
    expect(notice).to_be_hidden()
    expect(page.get_by_text("arrived later, filled in").first).to_be_visible()
    # Two minutes, which lie in two or three of the clock's.
    assert 2 <= page.locator(".minutes rect[data-late]").count() <= 4
    keep_picture(page, "filled")
    assert watched.complaints == []


def test_the_page_comes_back_after_the_gateway_was_away(watched: WatchedSite, page: Page) -> None:
    watched.services["realtime"].kill()
    expect(page.get_by_text("Connection lost, trying again…")).to_be_visible()
    watched.store.put(event(page="/meanwhile"))
    watched.services["realtime"].start()
    expect(page.get_by_role("log")).to_contain_text("/meanwhile")
    expect_live(page)


def test_a_gateway_that_hangs_is_said_and_the_page_comes_back_by_itself(
    watched: WatchedSite, page: Page
) -> None:
    gateway = watched.services["realtime"]
    # A first frame was drawn, so that there are numbers of some time.
    expect(page.get_by_role("region", name="Waiting for the first event")).to_be_visible()
    gateway.pause()
    try:
        expect(page.get_by_text("Connection lost, trying again…")).to_be_visible()
        expect(page.get_by_text("The numbers are those of")).to_be_visible()
        keep_picture(page, "hung")
        watched.store.put(event(page="/meanwhile"))
    finally:
        gateway.resume()
    expect(page.get_by_role("log")).to_contain_text("/meanwhile")
    expect_live(page)
    expect(page.get_by_text("The numbers are those of")).to_be_hidden()


def test_a_quiet_site_stays_live_on_one_connection(watched: WatchedSite, chromium: Browser) -> None:
    context = watched.signed_in(chromium)
    page = context.new_page()
    opened: list[str] = []
    frames: list[str | bytes] = []

    def note(socket: WebSocket) -> None:
        opened.append(socket.url)
        socket.on("framereceived", lambda data: frames.append(data))

    page.on("websocket", note)
    page.goto(f"{watched.url}/live?site={SITE}")
    expect_live(page)
    # A snapshot and four empty deltas: well over the time after which a line counts as dead.
    while len(frames) < 5:
        page.wait_for_timeout(200)
    expect_live(page)
    assert len(opened) == 1
    context.close()


def test_hostile_text_is_shown_as_text(watched: WatchedSite, page: Page) -> None:
    hostile = "/<img src=x onerror=alert(1)>"
    watched.store.put(event(page=hostile, source="<script>alert(1)</script>", country="??"))
    expect(page.get_by_role("log")).to_contain_text(hostile)
    assert page.locator("img").count() == 0
    assert watched.complaints == []


def test_an_unknown_site_is_said(watched: WatchedSite, page: Page) -> None:
    page.goto(f"{watched.url}/live?site=nowhere.test")
    expect(page.get_by_role("alert")).to_contain_text(
        "This site does not exist, or you may not see it."
    )
    page.get_by_role("alert").get_by_role("link", name="Choose another").click()
    expect(page.get_by_role("heading", name="Sites")).to_be_visible()


def test_the_theme_can_be_chosen_and_is_remembered(watched: WatchedSite, page: Page) -> None:
    button = page.get_by_role("button", name=re.compile("^Colours"))
    button.click()
    button.click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_everything_can_be_reached_by_keyboard(watched: WatchedSite, page: Page) -> None:
    watched.store.put(event())
    expect(page.get_by_role("log")).to_be_visible()
    reached = set()
    page.locator("body").click(position={"x": 1, "y": 1})
    for _ in range(14):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "(document.activeElement.getAttribute('aria-label')"
                " ?? document.activeElement.textContent ?? '').trim().split(':')[0]"
                " || document.activeElement.tagName"
            )
        )
    assert {"Skip to content", "Live", "Sites", "Colours", "Sign out", "Pause", "Events"} <= reached


def keep_busy(watched: WatchedSite, sent: int) -> int:
    """Many commits a second for some seconds, of ever other visitors; returns how many by now."""
    started = time.monotonic()
    while time.monotonic() - started < BUSY_S:
        watched.store.put(*[event(visitor=sent + n, page=f"/{n % 40}") for n in range(50)])
        sent += 50
    return sent


def test_a_busy_site_does_not_freeze_the_page(watched: WatchedSite, page: Page) -> None:
    watched.store.put(event(visitor=0))
    expect(page.get_by_test_id("here")).to_have_text("1")
    sent, longest_ms = 0, float("inf")
    # A page that is slow is so each time; a machine that stands still for a moment is not.
    for _ in range(3):
        if longest_ms >= FROZEN_MS:
            page.evaluate(WATCH)
            sent = keep_busy(watched, sent)
            expect(page.get_by_test_id("here")).to_have_text(f"{sent:,}")
            longest_ms = max(long_tasks_ms(page), default=0)
    assert page.get_by_role("log").get_by_role("listitem").count() <= 40
    assert longest_ms < FROZEN_MS
