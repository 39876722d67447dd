"""Segments, exclusions and robots in the browser: saved, chosen, shown and taken back."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.axe import faults
from tests.browser.panel_world import OVERVIEW, assert_whole, put, view
from tests.browser.watched_site import WatchedSite, keep_picture, watched_site
from tests.integration.live_world import SITE

SETTINGS = f"/sites/{SITE}/settings"
MARKUP = "<img src=x onerror=alert(1)>"
GERMANY = "f=is,visit:country,DE"


@pytest.fixture
def watched(database: str, primary: str, scratch: Path) -> Iterator[WatchedSite]:
    with watched_site(database, primary, scratch) as started:
        # Seven visitors from Germany, two of them by Chrome; five from France.
        views = [
            view(
                number,
                country="DE" if number < 7 else "FR",
                browser="Chrome" if number < 2 else "Firefox",
            )
            for number in range(12)
        ]
        put(started.store, *views)
        yield started


@pytest.fixture
def page(watched: WatchedSite, chromium: Browser) -> Iterator[Page]:
    """The overview, narrowed down to Germany."""
    context = watched.signed_in(chromium, viewport={"width": 1360, "height": 1000})
    context.set_default_timeout(60_000)
    yield watched.open(context, f"{OVERVIEW}?{GERMANY}")
    context.close()


def visitors(page: Page) -> Locator:
    return page.locator("[data-metric=visitors] .value")


def address(page: Page) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(page.evaluate("location.href")).query)


def save_filters(page: Page, name: str, kind: str) -> None:
    page.get_by_role("button", name="Save these filters").click()
    dialog = page.get_by_role("dialog", name="Save these filters")
    expect(dialog).to_contain_text("Country is Germany")
    dialog.get_by_label("Name").fill(name)
    dialog.get_by_role("radio", name=kind).check()
    dialog.get_by_role("button", name="Save", exact=True).click()


def bar(page: Page) -> Locator:
    return page.get_by_role("group", name="Filters")


def test_a_segment_is_saved_chosen_by_its_name_and_taken_away(
    watched: WatchedSite, page: Page
) -> None:
    expect(visitors(page)).to_have_text("7")
    save_filters(page, MARKUP, "A segment")
    pill = bar(page).get_by_role("listitem").filter(has_text=MARKUP)
    expect(pill).to_be_visible()
    [(name, number)] = address(page)
    assert name == "segment"
    expect(visitors(page)).to_have_text("7")
    pill.get_by_role("button", name=f"Take away: segment {MARKUP}").click()
    expect(visitors(page)).to_have_text("12")
    expect(page.get_by_role("button", name="Add filter")).to_be_focused()
    assert address(page) == []

    page.get_by_role("button", name="Add filter").click()
    page.get_by_role("dialog").get_by_role("button", name=MARKUP).click()
    expect(visitors(page)).to_have_text("7")
    # One filter beside it, and a reload.
    page.goto(f"{watched.url}{OVERVIEW}?f=is,visit:browser,Chrome&segment={number}")
    expect(visitors(page)).to_have_text("2")
    expect(bar(page).get_by_role("listitem")).to_have_count(2)
    keep_picture(page, "segment")
    # What is saved of both names no segment, and so goes on without it.
    save_filters(page, "German Chrome", "A segment")
    expect(bar(page).get_by_role("listitem")).to_have_count(1)
    expect(visitors(page)).to_have_text("2")
    assert_whole(page)
    # What is asked anew is pale until it is answered.
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    assert faults(page) == []
    assert watched.complaints == []


def test_a_segment_that_is_gone_is_named_and_left_out(watched: WatchedSite, page: Page) -> None:
    save_filters(page, "Germans", "A segment")
    expect(page).to_have_url(re.compile(r"segment=\d+$"))
    [(_, number)] = address(page)
    page.goto(f"{watched.url}{SETTINGS}")
    segments = page.get_by_role("region", name="Segments")
    row = segments.get_by_role("listitem").filter(has_text="Germans")
    expect(row).to_contain_text("Country is Germany")
    row.get_by_role("button", name="Remove segment Germans").click()
    row.get_by_role("button", name="Remove", exact=True).click()
    expect(segments).to_contain_text("No segment is saved.")
    page.goto(f"{watched.url}{OVERVIEW}?segment={number}&segment=x")
    notice = page.get_by_text("was not understood")
    expect(notice).to_contain_text(f"segment={number}")
    expect(notice).to_contain_text("segment=x")
    expect(visitors(page)).to_have_text("12")
    assert watched.complaints == []


def test_an_exclusion_leaves_what_matches_out_of_every_answer_until_it_is_taken_back(
    watched: WatchedSite, page: Page
) -> None:
    save_filters(page, MARKUP, "An exclusion")
    expect(visitors(page)).to_have_text("5")
    assert address(page) == []
    expect(page.get_by_text("is left out of every answer from now on")).to_be_visible()
    keep_picture(page, "exclusion-saved")
    page.get_by_role("link", name="Take it back in the settings").click()
    exclusions = page.get_by_role("region", name="Exclusions")
    expect(exclusions).to_be_focused()
    row = exclusions.get_by_role("listitem").filter(has_text=MARKUP)
    expect(row).to_contain_text("Country is Germany")
    expect(row).to_contain_text("takes out 7 events of the last 30 days")
    keep_picture(page, "exclusions")
    assert_whole(page)
    assert faults(page) == []
    row.get_by_role("button", name=f"Take back exclusion {MARKUP}").click()
    row.get_by_role("button", name="Take back", exact=True).click()
    expect(exclusions).to_contain_text("Nothing is left out.")
    page.get_by_role("link", name="Overview").click()
    expect(visitors(page)).to_have_text("12")
    assert watched.complaints == []


def test_a_name_that_is_taken_is_refused_beside_its_field(watched: WatchedSite, page: Page) -> None:
    save_filters(page, "Germans", "A segment")
    expect(bar(page)).to_contain_text("Segment Germans")
    page.goto(f"{watched.url}{OVERVIEW}?{GERMANY}")
    save_filters(page, "Germans", "A segment")
    dialog = page.get_by_role("dialog", name="Save these filters")
    expect(dialog.get_by_role("alert")).to_contain_text("there is a segment 'Germans' already")
    expect(dialog.get_by_label("Name")).to_have_attribute("aria-invalid", "true")
    dialog.get_by_label("Name").fill("Germans too")
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(bar(page)).to_contain_text("Germans too")
    assert all("status of 409" in line for line in watched.complaints)


def test_what_a_site_calls_a_robot_is_added_and_removed(watched: WatchedSite, page: Page) -> None:
    page.goto(f"{watched.url}{SETTINGS}")
    robots = page.get_by_role("region", name="Robots")
    expect(robots).to_contain_text("Only the packaged list applies.")
    robots.get_by_label("Name of the robot").fill(MARKUP)
    robots.get_by_label("Pattern", exact=True).fill("uptime(")
    robots.get_by_role("button", name="Add a pattern").click()
    expect(robots.get_by_role("alert")).to_be_visible()
    expect(robots.get_by_label("Pattern", exact=True)).to_have_attribute("aria-invalid", "true")
    robots.get_by_label("Pattern", exact=True).fill("uptime-checker/[0-9]+")
    robots.get_by_role("button", name="Add a pattern").click()
    row = robots.get_by_role("listitem").filter(has_text=MARKUP)
    expect(row).to_contain_text("User agent uptime-checker/[0-9]+ is a robot")
    robots.get_by_label("Name of the robot").fill("Our office")
    robots.get_by_label("Known by its").select_option("network")
    robots.get_by_label("Pattern", exact=True).fill("203.0.113.0/24")
    robots.get_by_label("It is no robot").check()
    robots.get_by_role("button", name="Add a pattern").click()
    office = robots.get_by_role("listitem").filter(has_text="Our office")
    expect(office).to_contain_text("Network 203.0.113.0/24 counts, whatever")
    keep_picture(page, "robots")
    assert_whole(page)
    assert faults(page) == []
    row.get_by_role("button", name=f"Remove robot {MARKUP}").click()
    row.get_by_role("button", name="Remove", exact=True).click()
    expect(robots.get_by_role("listitem")).to_have_count(1)
    page.reload()
    expect(robots.get_by_role("listitem")).to_have_count(1)
    assert all("status of 400" in line for line in watched.complaints)
