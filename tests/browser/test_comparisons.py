"""What the overview is compared with: the same days as the API's, and held by the address."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.browser.overview_world import ask
from tests.browser.panel_world import assert_whole, days_ago, put, view
from tests.browser.watched_site import WatchedSite, keep_picture, watched_site
from tests.integration.live_world import SITE

TODAY = datetime.now(UTC).date()


@pytest.fixture
def watched(database: str, primary: str, scratch: Path) -> Iterator[WatchedSite]:
    with watched_site(database, primary, scratch) as started:
        # Three to five visitors a day.
        views = [
            view(100 * ago + who, **days_ago(ago))
            for ago in range(30)
            for who in range(3 + ago % 3)
        ]
        put(started.store, *views)
        yield started


@pytest.fixture
def context(watched: WatchedSite, chromium: Browser) -> Iterator[BrowserContext]:
    opened = watched.signed_in(chromium, viewport={"width": 1360, "height": 900}, locale="en-GB")
    opened.set_default_timeout(60_000)
    yield opened
    opened.close()
    assert watched.complaints == []


def visits(page: Page) -> Locator:
    return page.locator("[data-metric=visits]")


def day(ago: int) -> date:
    return TODAY - timedelta(days=ago)


def compared_with(page: Page) -> list[str]:
    """The days that the page asks for beside those of its period."""
    with page.expect_request("**/api/v2/query/batch") as asking:
        page.reload()
    asked: list[dict[str, Any]] = json.loads(asking.value.post_data or "")["queries"]
    figures = [
        query for query in asked if "bounce_rate" in query["metrics"] and "dimensions" not in query
    ]
    [own, other] = [query["date_range"] for query in figures]
    assert own == [str(day(12)), str(day(3))]
    return list(other)


def as_the_api_does(watched: WatchedSite, context: BrowserContext, **comparison: Any) -> list[str]:
    """The same, by its own account."""
    cookies = {str(c["name"]): str(c["value"]) for c in context.cookies()}
    answer = httpx.post(
        f"{watched.url}/api/v2/query",
        json={
            "site_id": SITE,
            "metrics": ["visits"],
            "date_range": [str(day(12)), str(day(3))],
            "include": {"comparisons": comparison},
        },
        headers={"origin": watched.url},
        cookies=cookies,
        timeout=30,
    )
    first, last = answer.json()["meta"]["comparison_date_range"]
    return [first[:10], last[:10]]


@pytest.mark.parametrize(
    ("choice", "address", "comparison"),
    [
        ("the period before", "previous_period", {}),
        ("the year before", "year_over_year", {"compare": ["year"]}),
    ],
)
def test_the_days_compared_with_are_those_of_the_api(
    watched: WatchedSite,
    context: BrowserContext,
    choice: str,
    address: str,
    comparison: dict[str, list[str]],
) -> None:
    page = watched.open(context, f"/sites/{SITE}?from={day(12)}&to={day(3)}")
    menu = page.get_by_role("button", name="Comparison:")
    menu.click()
    page.get_by_role("button", name=choice, exact=True).click()
    expect(menu).to_contain_text(f"Compared with {choice}")
    assert compared_with(page) == as_the_api_does(watched, context, mode=address)
    menu.click()
    page.get_by_label("Same days of the week").check()
    keep_picture(page, f"comparison-{address}")
    state = parse_qs(urlsplit(page.evaluate("location.href")).query)
    dates = {"from": [str(day(12))], "to": [str(day(3))]}
    assert state == {**dates, **comparison, "weekdays": ["same"]}
    wanted = as_the_api_does(watched, context, mode=address, match_day_of_week=True)
    assert compared_with(page) == wanted
    first = date.fromisoformat(wanted[0])
    assert first.weekday() == day(12).weekday()
    page.go_back()
    expect(page).not_to_have_url(re.compile("weekdays"))


def test_any_days_are_compared_with_as_they_are(
    watched: WatchedSite, context: BrowserContext
) -> None:
    page = watched.open(context, f"/sites/{SITE}?period=today")
    expect(page.get_by_text("up to the same time")).to_be_visible()
    menu = page.get_by_role("button", name="Comparison:")
    menu.click()
    page.get_by_label("From", exact=True).fill(str(day(9)))
    page.get_by_label("To", exact=True).fill(str(day(8)))
    page.get_by_role("button", name="Compare with these days").click()
    expect(menu).to_contain_text("days of your own")
    assert parse_qs(urlsplit(page.evaluate("location.href")).query)["compare"] == [
        f"{day(9)},{day(8)}"
    ]
    dates = [str(day(9)), str(day(8))]
    [before] = ask(watched, context, metrics=["visits"], date_range=dates)
    expect(visits(page)).to_contain_text(f"before: {before['metrics'][0]}")
    expect(page.get_by_role("region", name="Figures")).not_to_contain_text("same time")
    page.reload()
    expect(visits(page)).to_contain_text(f"before: {before['metrics'][0]}")


@pytest.mark.parametrize("wrong", ["never", "2024-02-30,2024-03-01", "2024-03-02,2024-03-01", ","])
def test_a_comparison_that_is_none_is_named_and_left_out(
    watched: WatchedSite, context: BrowserContext, wrong: str
) -> None:
    page = watched.open(context, f"/sites/{SITE}?compare={wrong}&weekdays=other")
    notice = page.get_by_text("was not understood")
    expect(notice).to_contain_text(f"compare={wrong}")
    expect(notice).to_contain_text("weekdays=other")
    expect(page.get_by_role("button", name="Comparison:")).to_contain_text("the period before")


@pytest.mark.parametrize("width", [360, 700, 900, 1100])
def test_the_choice_stays_within_the_window(
    watched: WatchedSite, chromium: Browser, width: int
) -> None:
    context = watched.signed_in(chromium, viewport={"width": width, "height": 800})
    page = watched.open(context, f"/sites/{SITE}")
    expect(visits(page).locator(".value")).not_to_contain_text("Loading")
    for name in ("Period:", "Comparison:"):
        page.get_by_role("button", name=name).click()
        box = page.get_by_role("group", name=name.removesuffix(":")).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert_whole(page)
        keep_picture(page, f"menu-{width}")
        page.keyboard.press("Escape")
    context.close()
