"""The part of the charts that can still change: where it begins, why, and for how long."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from argon2 import PasswordHasher
from playwright.sync_api import Browser, Locator, Page, expect

from infrastructure.local.frontend import build_front_ends
from infrastructure.local.installation import EDGE
from infrastructure.local.product import Product
from infrastructure.local.redis_server import RedisServer
from tests.browser.watched_site import (
    EMAIL,
    PASSWORD,
    WatchedSite,
    keep_picture,
    watched_site,
)
from tests.integration.live_world import SITE, event
from tests.journeys.visit_world import BROWSER
from tests.writer_world import put_site

KEY = "can still change"
WITHIN_S = 60.0


@pytest.fixture
def watched(database: str, primary: str, scratch: Path) -> Iterator[WatchedSite]:
    with watched_site(database, primary, scratch) as started:
        yield started


def execute(url: str, statement: str, *values: Any) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode(), values)


def key(page: Page) -> Locator:
    return page.locator(".minutes").get_by_role("button", name=KEY)


def tip(page: Page) -> Locator:
    return page.locator(".minutes").get_by_role("tooltip")


def open_since_s(page: Page) -> float:
    """Since when the chart of minutes is drawn as open, in epoch seconds."""
    since_ms = page.locator(".minutes g.open").get_attribute("data-from")
    return float(since_ms or 0) / 1_000


def share_hatched(page: Page) -> float:
    """Of the chart's width, as it is drawn."""
    hatched, chart = page.locator(".minutes g.open rect"), page.locator(".minutes .frame svg")
    one, whole = hatched.bounding_box(), chart.bounding_box()
    assert one is not None
    assert whole is not None
    return one["width"] / whole["width"]


def hold_back(watched: WatchedSite) -> None:
    """Edge berlin is heard, and holds 1,234 batches of the last ten minutes; paris keeps up."""
    ago = "now() - interval '10 minutes'"
    ahead = "now() + interval '1 hour'"
    execute(
        watched.store.url,
        "INSERT INTO edge (edge, added_at, last_heard, spooled_batches, oldest_spooled_at) VALUES"
        f" ('berlin', {ago}, {ahead}, 1234, {ago}), ('paris', {ago}, {ahead}, 0, NULL)",
    )
    execute(
        watched.store.url,
        "INSERT INTO boot (edge, boot, last_heard, final_until) VALUES"
        f" ('berlin', 1, {ahead}, {ago}), ('paris', 2, {ahead}, {ahead})",
    )


def test_what_an_edge_holds_back_is_hatched_and_said_on_hover_focus_and_touch(
    watched: WatchedSite, chromium: Browser
) -> None:
    watched.store.put(*[event(ago * 50, visitor=ago) for ago in range(35)])
    began = time.time()
    hold_back(watched)
    ended = time.time()
    reason = "Edge berlin still holds 1,234 batches received since"
    for scheme in ("light", "dark"):
        size = {"width": 1360, "height": 900}
        context = watched.signed_in(chromium, viewport=size, color_scheme=scheme, has_touch=True)
        page = watched.open(context)
        expect(key(page)).to_be_visible()
        assert began - 601 < open_since_s(page) < ended - 599
        assert 0.28 < share_hatched(page) < 0.42
        expect(tip(page)).to_be_hidden()
        expect(page.get_by_text("Edge berlin is handing over 1,234 batches")).to_be_visible()
        box = page.locator(".minutes g.open rect").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        expect(tip(page)).to_contain_text(reason)
        keep_picture(page, f"hatched-{scheme}")
        page.mouse.move(box["x"] - 40, box["y"] + box["height"] / 2)
        expect(tip(page)).to_be_hidden()
        key(page).focus()
        expect(tip(page)).to_contain_text(reason)
        page.keyboard.press("Escape")
        expect(tip(page)).to_be_hidden()
        page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        expect(tip(page)).to_contain_text(reason)
        page.touchscreen.tap(5, 5)
        expect(tip(page)).to_be_hidden()
        row = page.locator(".minutes table tr").last
        expect(row).to_contain_text(KEY)
        expect(page.locator(".minutes tbody tr").first).not_to_contain_text(KEY)
        context.close()
    assert watched.complaints == []


def test_each_reason_has_its_own_words(watched: WatchedSite, chromium: Browser) -> None:
    watched.store.put(event())
    hold_back(watched)
    context = watched.signed_in(chromium, viewport={"width": 390, "height": 844})
    page = watched.open(context)
    key(page).focus()
    expect(tip(page)).to_contain_text("1,234 batches")
    url = watched.store.url
    execute(url, "UPDATE edge SET spooled_batches = 0")
    expect(tip(page)).to_contain_text("Edge berlin has told only up to")
    execute(url, "UPDATE boot SET low = 3 WHERE boot = 1")
    expect(tip(page)).to_contain_text("3 batches of edge berlin wait at the primary")
    execute(url, "UPDATE boot SET lost = '{[1,2)}' WHERE boot = 1")
    expect(tip(page)).to_contain_text("1 batch that cannot be found")
    silent = "UPDATE edge SET last_heard = now() - make_interval(days => %s) WHERE edge = 'berlin'"
    execute(url, silent, 1)
    expect(tip(page)).to_contain_text("Edge berlin has been silent since")
    # Six days from now: a date, not only an hour.
    expect(tip(page)).to_contain_text(re.compile("it is written off on .*20[0-9][0-9]"))
    keep_picture(page, "hatched-phone")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    execute(url, silent, 8)
    expect(page.get_by_text("was written off on")).to_be_visible()
    assert watched.complaints == []
    context.close()


def test_an_edge_that_keeps_up_leaves_only_the_newest_minute_open(
    watched: WatchedSite, chromium: Browser
) -> None:
    watched.store.put(event(100))
    execute(
        watched.store.url,
        "INSERT INTO edge (edge, last_heard) VALUES ('berlin', now() + interval '1 hour')",
    )
    context = watched.signed_in(chromium, viewport={"width": 1360, "height": 900})
    page = watched.open(context)
    key(page).focus()
    expect(tip(page)).to_contain_text("Normal: the newest seconds are")
    assert share_hatched(page) < 0.08
    # As with a journal, where a few batches always wait.
    execute(
        watched.store.url,
        "WITH few AS (UPDATE edge SET spooled_batches = 3) INSERT INTO edge (edge, last_heard)"
        " VALUES ('paris', now() - interval '1 minute')",
    )
    silent = page.get_by_role("status").get_by_text("Edge paris has been silent")
    expect(silent).to_be_visible()
    expect(page.get_by_text("is handing over")).to_have_count(0)
    keep_picture(page, "hatched-normal")
    context.close()


def test_colours_that_the_reader_forces_leave_the_hatching(
    watched: WatchedSite, chromium: Browser
) -> None:
    watched.store.put(event(100))
    hold_back(watched)
    context = watched.signed_in(
        chromium, viewport={"width": 900, "height": 700}, forced_colors="active"
    )
    page = watched.open(context)
    stroke, text = (
        page.locator(where).first.evaluate(f"each => getComputedStyle(each).{what}")
        for where, what in ((".minutes .hatch", "stroke"), ("h1", "color"))
    )
    assert stroke == text
    keep_picture(page, "hatched-forced")
    context.close()


def test_an_outage_is_hatched_while_it_lasts_and_no_longer_once_it_is_drained(
    millrace: Product, chromium: Browser
) -> None:
    build_front_ends()
    put_site(millrace.postgres_url, SITE)
    execute(
        millrace.postgres_url,
        "INSERT INTO owner (email, password) VALUES (%s, %s)",
        EMAIL,
        PasswordHasher().hash(PASSWORD),
    )
    context = chromium.new_context(viewport={"width": 1360, "height": 900})
    page = context.new_page()
    page.goto(f"{millrace.api_url}/login")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Sites").wait_for()
    page.goto(f"{millrace.api_url}/live?site={SITE}")
    visit(millrace, "/before")
    expect(page.get_by_role("log")).to_contain_text("/before")
    key(page).focus()
    expect(tip(page)).to_contain_text("Normal")
    primary = millrace.stack.primary
    assert isinstance(primary, RedisServer)
    primary.stop()
    began = time.time()
    for number in range(12):
        visit(millrace, f"/outage/{number}")
    expect(tip(page)).to_contain_text(f"Edge {EDGE} has been silent since")
    # As the edge last said before: a heartbeat or two earlier, and not later.
    assert began - 30 < open_since_s(page) <= began + 1
    keep_picture(page, "outage-hatched")
    expect(page.get_by_role("log")).not_to_contain_text("/outage")
    primary.start()
    expect(page.get_by_role("log")).to_contain_text("/outage/11")
    expect(tip(page)).to_contain_text("Normal")
    deadline = time.monotonic() + WITHIN_S
    while time.time() - open_since_s(page) >= 15:
        assert time.monotonic() < deadline, "what has been drained is still drawn as open"
        page.wait_for_timeout(100)
    keep_picture(page, "outage-drained")
    context.close()


def visit(millrace: Product, path: str) -> None:
    """One page view, acknowledged; the edge may first have to hear of the site."""
    deadline = time.monotonic() + WITHIN_S
    while (answer := post(millrace, path)).status_code == 400:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.1)
    assert answer.status_code == 202, answer.text


def post(millrace: Product, path: str) -> httpx.Response:
    return httpx.post(
        f"{millrace.edge_url}/track",
        json={"site": SITE, "url": f"https://{SITE}{path}", "id": str(uuid4())},
        headers={"user-agent": BROWSER, "origin": f"https://{SITE}"},
        timeout=WITHIN_S,
    )
