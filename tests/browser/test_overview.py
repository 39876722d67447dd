"""The overview: its figures are the API's, its address is its state, its open part says why."""

import gzip
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import psycopg
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from api.page import DIST
from tests.browser.overview_world import (
    ZONE,
    ask,
    move_to_tokyo,
    put_days,
    put_rows,
    today,
    visit,
)
from tests.browser.watched_site import WatchedSite, keep_picture, watched_site
from tests.integration.live_world import SITE

WITHIN_MS = 60_000
WIDE = {"width": 1360, "height": 900}
METRICS = [
    "visitors",
    "visits",
    "pageviews",
    "views_per_visit",
    "bounce_rate",
    "visit_duration",
]
LARGEST_SCRIPT = 120_000
"""Bytes, gzipped."""


@pytest.fixture
def watched(database: str, primary: str, scratch: Path) -> Iterator[WatchedSite]:
    with watched_site(database, primary, scratch) as started:
        move_to_tokyo(started)
        yield started


@pytest.fixture
def context(watched: WatchedSite, chromium: Browser) -> Iterator[BrowserContext]:
    opened = watched.signed_in(chromium, viewport=WIDE, locale="en-GB")
    opened.set_default_timeout(WITHIN_MS)
    yield opened
    opened.close()
    assert watched.complaints == []


def open_overview(watched: WatchedSite, context: BrowserContext, search: str = "") -> Page:
    page = watched.open(context, f"/sites/{SITE}{search}")
    expect(figure(page, "visitors").locator(".value")).not_to_contain_text("Loading")
    return page


def figure(page: Page, metric: str) -> Locator:
    return page.locator(f"[data-metric={metric}]")


def value(page: Page, metric: str) -> Locator:
    return figure(page, metric).locator(".value")


def cut_by(page: Page) -> Locator:
    return page.get_by_role("combobox", name="By", exact=True)


def day(ago: int) -> str:
    """As the address and the API write a day of the site."""
    return (today() - timedelta(days=ago)).date().isoformat()


def state(page: Page) -> dict[str, list[str]]:
    """What the address holds, as the page itself has it: Playwright hears of it a moment later."""
    return parse_qs(urlsplit(page.evaluate("location.href")).query)


def written(metrics: list[float]) -> dict[str, str]:
    """As a British reader sees them."""
    visitors, visits, pageviews, views, bounces, lasted = metrics
    minutes, seconds = divmod(int(lasted), 60)
    spent = f"{minutes}m" + (f" {seconds}s" if seconds else "") if minutes else f"{seconds}s"
    shown = [f"{visitors:,}", f"{visits:,}", f"{pageviews:,}", f"{views:g}", f"{bounces}%", spent]
    return dict(zip(METRICS, shown, strict=True))


def test_the_figures_are_those_of_the_api_beside_those_of_the_period_before(
    watched: WatchedSite, context: BrowserContext
) -> None:
    put_days(watched, 30)
    put_rows(watched, [row for who in range(20, 40) for row in visit(at(3), who, pages=4)])
    page = open_overview(watched, context, f"?from={day(7)}&to={day(1)}")
    [now] = ask(watched, context, metrics=METRICS, date_range=[day(7), day(1)])
    [before] = ask(watched, context, metrics=METRICS, date_range=[day(14), day(8)])
    shown, shown_before = written(now["metrics"]), written(before["metrics"])
    for metric in METRICS:
        expect(value(page, metric)).to_have_text(shown[metric])
        expect(figure(page, metric)).to_contain_text(f"before: {shown_before[metric]}")
    growth = round(100 * (now["metrics"][0] / before["metrics"][0] - 1))
    expect(figure(page, "visitors")).to_contain_text(f"{growth}% more, better")
    # Here less is better, and the words say so where colours cannot.
    points = before["metrics"][4] - now["metrics"][4]
    assert points > 1
    expect(figure(page, "bounce_rate")).to_contain_text(f"{points} points less, better")
    expect(page.get_by_role("region", name="Figures")).not_to_contain_text("same time")


def at(ago: int, hour: int = 9) -> datetime:
    return today() - timedelta(days=ago) + timedelta(hours=hour)


_CUT_OFF = """() => [...document.querySelectorAll("figure svg text")]
  .filter((text) => text.getBoundingClientRect().left
    < text.ownerSVGElement.getBoundingClientRect().left)
  .map((text) => text.textContent)"""


def test_no_share_beside_the_chart_is_cut_off(
    watched: WatchedSite, context: BrowserContext
) -> None:
    put_days(watched, 7)
    put_rows(watched, [row for who in range(50, 60) for row in visit(at(3), who, pages=1)])
    page = open_overview(watched, context, f"?from={day(7)}&to={day(1)}")
    figure(page, "bounce_rate").get_by_role("button").click()
    expect(page.locator("figure svg text").filter(has_text="%").first).to_be_attached()
    assert page.evaluate(_CUT_OFF) == []


def test_visitors_of_several_days_are_called_added_up_and_each_figure_says_how_it_is_counted(
    watched: WatchedSite, context: BrowserContext
) -> None:
    put_days(watched, 3)
    page = open_overview(watched, context)
    expect(figure(page, "visitors")).to_contain_text("daily visitors, added up")
    hint = figure(page, "visitors").get_by_role("tooltip")
    expect(hint).to_be_hidden()
    figure(page, "visitors").hover()
    expect(hint).to_contain_text("Whoever comes on two days is two visitors")
    page.keyboard.press("Escape")
    expect(hint).to_be_hidden()
    page.keyboard.press("Tab")
    figure(page, "bounce_rate").get_by_role("button").focus()
    bounce = figure(page, "bounce_rate").get_by_role("tooltip")
    expect(bounce).to_contain_text("one pageview and no other interactive event")
    page.goto(f"{watched.url}/sites/{SITE}?period=yesterday")
    expect(value(page, "visits")).to_have_text("4")
    expect(figure(page, "visitors").get_by_role("button")).not_to_contain_text("added up")


def test_a_day_that_runs_is_compared_up_to_the_same_time(
    watched: WatchedSite, context: BrowserContext
) -> None:
    # All of yesterday's but the first seconds comes later in the day than now is today.
    now = datetime.now(ZONE)
    early, late = today() - timedelta(days=1), now - timedelta(days=1) + timedelta(seconds=100)
    put_rows(watched, [*visit(early, 2), *visit(min(late, today() - timedelta(seconds=1)), 4)])
    page = open_overview(watched, context, "?period=today")
    expect(page.get_by_text("up to the same time")).to_be_visible()
    expect(value(page, "visitors")).to_have_text("0")
    if late < today():
        expect(figure(page, "visitors")).to_contain_text("before: 1")
    # Of no visits there is no rate to compare.
    expect(figure(page, "bounce_rate")).not_to_contain_text("before:")
    expect(page.get_by_text("Nothing was counted in this period.")).to_be_visible()
    page.get_by_role("button", name="Choose a longer period").click()
    expect(value(page, "visitors")).to_have_text("2")
    assert state(page)["period"] == ["all"]
    # All there is of so young a site is cut into hours.
    expect(cut_by(page)).to_have_value("hour")


def test_the_address_holds_the_whole_view_over_a_reload_and_back_undoes_each_step(
    watched: WatchedSite, context: BrowserContext
) -> None:
    put_days(watched, 60)
    page = open_overview(watched, context)
    assert state(page) == {}
    menu = page.get_by_role("button", name="Period:")
    menu.click()
    page.get_by_role("button", name="Last 91 days").click()
    expect(menu).to_contain_text("Last 91 days")
    cut_by(page).select_option("week")
    comparison = page.get_by_role("button", name="Comparison:")
    comparison.click()
    page.get_by_role("button", name="nothing", exact=True).click()
    expect(page.get_by_text("before:")).to_have_count(0)
    chart = page.get_by_role("region", name="Visitors over time")
    expect(chart).to_contain_text("daily visitors, added up")
    figure(page, "pageviews").get_by_role("button").click()
    expect(page.get_by_role("heading", name="Pageviews over time")).to_be_visible()
    held = {
        "period": ["last-91-days"],
        "by": ["week"],
        "compare": ["none"],
        "metric": ["pageviews"],
    }
    assert state(page) == held
    page.reload()
    expect(page.get_by_role("heading", name="Pageviews over time")).to_be_visible()
    expect(menu).to_contain_text("Last 91 days")
    expect(cut_by(page)).to_have_value("week")
    expect(comparison).to_contain_text("Compared with nothing")
    assert state(page) == held
    page.go_back()
    expect(page.get_by_role("heading", name="Visitors over time")).to_be_visible()
    page.go_back()
    expect(page.get_by_text("before:").first).to_be_visible()
    page.go_back()
    expect(cut_by(page)).to_have_value("day")
    page.go_back()
    expect(menu).to_contain_text("Last 30 days")
    # The site's other page, and back to the same view.
    page.go_forward()
    page.get_by_role("link", name="Live").click()
    expect(page).to_have_url(re.compile("/live"))
    page.go_back()
    expect(menu).to_contain_text("Last 91 days")


def test_days_are_chosen_in_a_calendar_or_written(
    watched: WatchedSite, context: BrowserContext
) -> None:
    put_days(watched, 40)
    page = open_overview(watched, context)
    menu = page.get_by_role("button", name="Period:")
    menu.click()
    page.get_by_role("button", name="Previous month").click()
    month = (today().replace(day=1) - timedelta(days=1)).date().replace(day=1)
    first, last = month.replace(day=9), month.replace(day=20)
    grid = page.get_by_role("grid")
    # The later one first: the order is of no matter.
    for chosen in (last, first):
        grid.get_by_role("button", name=re.compile(rf"^{chosen.day} .*{chosen.year}")).click()
    expect(menu).to_contain_text("By calendar")
    assert state(page) == {"from": [first.isoformat()], "to": [last.isoformat()]}
    [found] = ask(watched, context, metrics=["visits"], date_range=[str(first), str(last)])
    expect(value(page, "visits")).to_have_text(str(found["metrics"][0]))
    menu.click()
    page.get_by_label("From", exact=True).fill(day(1))
    page.get_by_label("To", exact=True).fill(day(3))
    expect(page.get_by_role("alert")).to_have_text("The first day is after the last.")
    page.get_by_label("From", exact=True).fill(day(3))
    page.get_by_role("button", name="Show these days").click()
    assert state(page) == {"from": [day(3)], "to": [day(3)]}
    expect(cut_by(page)).to_have_value("hour")
    [found] = ask(watched, context, metrics=["visits"], date_range=[day(3), day(3)])
    expect(value(page, "visits")).to_have_text(str(found["metrics"][0]))


def test_the_line_goes_by_the_site_s_zone_which_is_named(
    watched: WatchedSite, context: BrowserContext
) -> None:
    # Half past midnight in Tokyo is the day before in UTC.
    put_rows(watched, visit(today() - timedelta(days=2) + timedelta(minutes=30), 2))
    page = open_overview(watched, context, "?period=last-7-days")
    expect(page.get_by_text("Days and hours of Asia/Tokyo").first).to_be_visible()
    page.get_by_text("As a table").click()
    rows = page.get_by_role("table", name="Visitors over time").locator("tbody tr")
    expect(rows).to_have_count(7)
    cells = rows.locator("td:nth-of-type(1)").all_inner_texts()
    counted = [text.split("(")[0].strip() for text in cells]
    assert counted == ["0", "0", "0", "0", "1", "0", "0"]
    cut_by(page).select_option("hour")
    expect(rows).to_have_count(7 * 24)
    assert rows.nth(4 * 24).locator("td").first.inner_text().startswith("1")


def execute(watched: WatchedSite, statement: str) -> None:
    with psycopg.connect(watched.store.url, autocommit=True) as db:
        db.execute(statement.encode())


def hold_back(watched: WatchedSite, days: int) -> None:
    """Edge berlin is heard, and holds batches since noon of a day of the site."""
    since = f"'{at(days, 12).astimezone(UTC).isoformat()}'"
    execute(
        watched,
        "INSERT INTO edge (edge, added_at, last_heard, spooled_batches, oldest_spooled_at) VALUES"
        f" ('berlin', {since}, now() + interval '1 hour', 1234, {since})",
    )
    execute(
        watched,
        "INSERT INTO boot (edge, boot, last_heard, final_until, low)"
        f" VALUES ('berlin', 1, now() + interval '1 hour', {since}, 0)",
    )


def test_what_can_still_change_is_hatched_and_says_why(
    watched: WatchedSite, context: BrowserContext
) -> None:
    put_days(watched, 20)
    hold_back(watched, days=4)
    page = open_overview(watched, context, f"?from={day(9)}&to={day(0)}")
    held, late = (page.locator(f"g.open[data-open={open}]") for open in ("held", "late"))
    expect(held).to_have_attribute("data-from", day(4))
    # What an offline browser keeps may be a day older.
    expect(late).to_have_attribute("data-from", day(5))
    key = page.get_by_role("button", name="can still change")
    why = page.get_by_role("tooltip").filter(has_text="Edge berlin still holds 1,234 batches")
    expect(why).to_be_hidden()
    key.focus()
    expect(why).to_be_visible()
    expect(why).to_contain_text("A browser that was offline")
    page.keyboard.press("Escape")
    expect(why).to_be_hidden()
    key.hover()
    expect(why).to_be_visible()
    chart = page.get_by_role("slider", name="Visitors over time")
    box = chart.bounding_box()
    assert box is not None
    chart.hover(position={"x": box["width"] - 30, "y": 100})
    expect(page.locator(".at.shown")).to_contain_text("Edge berlin still holds 1,234 batches")
    keep_picture(page, "overview-hatched")
    chart.hover(position={"x": 80, "y": 100})
    expect(page.locator(".at.shown")).not_to_contain_text("can still change")
    # What is closed has nothing to say.
    page.goto(f"{watched.url}/sites/{SITE}?from={day(19)}&to={day(8)}")
    expect(page.locator(".frame path.line")).to_be_visible()
    expect(value(page, "visits")).not_to_contain_text("Loading")
    expect(page.locator("g.open")).to_have_count(0)
    expect(key).to_have_count(0)


def test_an_edge_that_was_written_off_is_named_below_the_days_it_may_lack_in(
    watched: WatchedSite, context: BrowserContext
) -> None:
    put_days(watched, 20)
    execute(
        watched,
        "INSERT INTO edge (edge, added_at, last_heard)"
        " VALUES ('oslo', now() - interval '30 days', now() - interval '9 days')",
    )
    page = open_overview(watched, context)
    expect(page.get_by_role("note")).to_contain_text("Edge oslo has been silent since")
    page.goto(f"{watched.url}/sites/{SITE}?from={day(19)}&to={day(15)}")
    expect(value(page, "visits")).not_to_contain_text("Loading")
    expect(page.locator(".frame path.line")).to_be_visible()
    expect(page.get_by_role("note")).to_have_count(0)


def test_keys_alone_reach_everything(watched: WatchedSite, context: BrowserContext) -> None:
    put_days(watched, 20)
    page = open_overview(watched, context, f"?from={day(9)}&to={day(1)}")
    menu = page.get_by_role("button", name="Period:")
    reach(page, menu)
    page.keyboard.press("Enter")
    expect(page.get_by_role("grid")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("grid")).to_have_count(0)
    expect(menu).to_be_focused()
    page.keyboard.press("Enter")
    reach(page, page.get_by_role("grid").locator("[tabindex='0']"))
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(menu).to_be_focused()
    assert state(page) == {"from": [day(8)], "to": [day(7)]}
    reach(page, figure(page, "visits").get_by_role("button"))
    page.keyboard.press("Enter")
    chart = page.get_by_role("slider", name="Visits over time")
    expect(chart).to_be_visible()
    reach(page, chart)
    page.keyboard.press("Home")
    first = (today() - timedelta(days=8)).date()
    expect(chart).to_have_attribute("aria-valuetext", re.compile(rf"\b{first.day} .*: \d"))
    expect(page.locator(".at.shown")).to_be_visible()


def reach(page: Page, wanted: Locator) -> None:
    """Go on with Tab until it has the focus."""
    for _ in range(60):
        if wanted.evaluate("each => each === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {wanted}")


def test_an_address_that_means_nothing_does_no_harm_and_is_named(
    watched: WatchedSite, context: BrowserContext
) -> None:
    put_days(watched, 3)
    hostile = "<img src=x onerror=alert(1)>"
    search = (
        f"?period={quote(hostile)}&metric=toString&by=hour&from=2026-02-30&to=%FF&f=is,no,a&f=,"
    )
    page = open_overview(watched, context, search)
    notice = page.get_by_role("status").filter(has_text="not understood")
    for part in ("metric=toString", "by=hour", "from=2026-02-30", "f=is,no,a"):
        expect(notice).to_contain_text(part)
    expect(page.get_by_role("button", name="Period:")).to_contain_text("Last 30 days")
    page.goto(f"{watched.url}/sites/{SITE}?period={quote(hostile)}")
    expect(notice).to_contain_text(hostile)
    # What is chosen next leaves a clean address.
    figure(page, "visits").get_by_role("button").click()
    expect(notice).to_have_count(0)
    assert state(page) == {"metric": ["visits"]}


def test_filters_in_the_address_are_kept_to_the_letter(
    watched: WatchedSite, context: BrowserContext
) -> None:
    put_days(watched, 3)
    value_of = 'a,b~c&d=e?#%2C é 😀 \u202e"<script>'
    page = open_overview(watched, context)
    address = page.evaluate(
        "value => '?f=contains_not,event:page,' + encodeURIComponent("
        "value.replaceAll('~', '~t').replaceAll(',', '~c')) + ',x'",
        value_of,
    )
    asked: list[object] = []
    page.on("request", lambda request: asked.append(request.post_data))
    page.goto(f"{watched.url}/sites/{SITE}{address}")
    expect(value(page, "visits")).not_to_contain_text("Loading")
    before = state(page)["f"]
    figure(page, "visits").get_by_role("button").click()
    expect(page.get_by_role("heading", name="Visits over time")).to_be_visible()
    assert state(page)["f"] == before
    bodies = [json.loads(str(body)) for body in asked if body]
    # What was not counted is asked for without filters.
    questions = [one for body in bodies for one in body.get("queries", [body])]
    filters = [question["filters"] for question in questions if "filters" in question]
    expected = ["contains_not", "event:page", [value_of, "x"], {"case_sensitive": False}]
    assert filters
    assert all(expected in each for each in filters)


def test_an_api_that_is_away_is_said_and_asked_again(
    watched: WatchedSite, context: BrowserContext
) -> None:
    put_days(watched, 3)
    page = open_overview(watched, context)
    watched.services["api"].stop()
    figure(page, "visits").get_by_role("button").click()
    chart = page.get_by_role("region", name=re.compile("over time"))
    expect(chart.get_by_role("alert")).to_contain_text("The server does not answer.")
    watched.services["api"].start()
    watched.services["api"].wait_until_ready()
    chart.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", name="Visits over time")).to_be_visible()
    expect(chart.get_by_role("alert")).to_have_count(0)
    watched.complaints.clear()


def test_a_session_that_has_ended_leads_to_the_sign_in_and_back_to_the_same_view(
    watched: WatchedSite, context: BrowserContext
) -> None:
    put_days(watched, 3)
    page = open_overview(watched, context, "?period=yesterday")
    context.clear_cookies()
    figure(page, "visits").get_by_role("button").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    watched.sign_in(page)
    expect(page.get_by_role("heading", name="Visits over time")).to_be_visible()
    assert state(page) == {"period": ["yesterday"], "metric": ["visits"]}
    watched.complaints.clear()


def test_it_fits_a_phone_in_the_dark(watched: WatchedSite, chromium: Browser) -> None:
    put_days(watched, 10)
    phone = watched.signed_in(
        chromium, viewport={"width": 360, "height": 740}, color_scheme="dark", locale="de-DE"
    )
    page = open_overview(watched, phone)
    page.get_by_role("button", name="Period:").click()
    expect(page.get_by_role("grid")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    keep_picture(page, "overview-phone")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="can still change").focus()
    expect(page.get_by_role("tooltip").filter(has_text="offline")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    keep_picture(page, "overview-phone-why")
    # Numbers go by the reader's language.
    expect(value(page, "views_per_visit")).to_have_text(re.compile(r"^\d,\d+$|^\d$"))
    phone.close()


def test_the_script_is_small(watched: WatchedSite) -> None:
    size = sum(len(gzip.compress(path.read_bytes(), 9)) for path in DIST.glob("assets/*.js"))
    assert size <= LARGEST_SCRIPT
