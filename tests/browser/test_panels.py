"""Panels and filters of the overview in Chromium, over a real API and database."""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import psycopg
import pytest
from playwright.sync_api import Browser, Locator, Page, Request, Route, expect

from tests.browser.panel_world import COLUMNS, OVERVIEW, assert_whole, days_ago, put, view
from tests.browser.watched_site import WatchedSite, keep_picture, watched_site
from tests.integration.live_world import SITE

MARKUP = "<img src=x onerror=alert(1)>"
HOSTILE = [
    f"/{MARKUP}",
    "/\u202eevil\u202c/fdp.exe",
    "/zero\u200bwidth",
    "/" + "long" * 500,
    "/\U0001f9ed\U0001f469\u200d\U0001f680,~c/&f=is,visit:country,XX",
    "/nul\ufffd",
    "/\"quotes'%2C+#?",
]


@pytest.fixture
def watched(database: str, primary: str, scratch: Path) -> Iterator[WatchedSite]:
    with watched_site(database, primary, scratch) as started:
        yield started


def traffic() -> list[dict[str, object]]:
    """Twelve visitors: seven from Germany and five from France, on three pages."""
    views = [
        view(
            number,
            page=("/", "/pricing", "/docs")[number % 3],
            country="DE" if number < 7 else "FR",
            region="Berlin" if number < 4 else "",
            city="Berlin" if number < 4 else "",
            source="Google" if number % 2 else "",
            channel="Organic Search" if number % 2 else "Direct",
            browser="Firefox" if number < 9 else "Chrome",
            browser_version="140" if number < 5 else "141",
        )
        for number in range(12)
    ]
    signups = [view(number, name="signup", page="/pricing", country="DE") for number in (1, 4)]
    return [*views, *signups]


@pytest.fixture
def page(watched: WatchedSite, chromium: Browser) -> Iterator[Page]:
    """The overview of twelve visitors."""
    put(watched.store, *traffic())
    context = watched.signed_in(chromium, viewport={"width": 1360, "height": 1000})
    yield watched.open(context, OVERVIEW)
    context.close()


def panel(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name, exact=True)


def rows(of: Locator) -> Locator:
    return of.locator("tbody tr")


def row(of: Locator, name: str) -> Locator:
    return rows(of).filter(has=of.page.get_by_role("button", name=name, exact=True))


def choose(of: Locator, name: str) -> None:
    row(of, name).get_by_role("button").click()


def pills(page: Page) -> Locator:
    return page.get_by_role("group", name="Filters").get_by_role("listitem")


def filters(page: Page) -> list[str]:
    """Those in the address, as the page itself has it: Playwright hears of it a moment later."""
    query = urlsplit(page.evaluate("location.href")).query
    return [value for name, value in parse_qsl(query) if name == "f"]


def test_each_panel_shows_what_the_api_answers(watched: WatchedSite, page: Page) -> None:
    expect(row(panel(page, "Pages"), "/")).to_have_text(re.compile(r"/\s*4\s*4$"))
    expect(row(panel(page, "Pages"), "/pricing")).to_have_text(re.compile(r"/pricing\s*4\s*4$"))
    expect(rows(panel(page, "Sources"))).to_have_count(2)
    expect(row(panel(page, "Places"), "Germany").locator("td")).to_have_text("7")
    expect(row(panel(page, "Technology"), "Firefox").locator("td")).to_have_text("9")
    expect(row(panel(page, "Events"), "signup").locator("td")).to_have_text(["2", "2"])
    expect(row(panel(page, "Events"), "pageview")).to_have_count(0)
    keep_picture(page, "panels")
    assert watched.complaints == []


def test_a_view_asks_all_its_questions_at_once_and_they_are_of_one_moment(page: Page) -> None:
    # What the page asks for when it is opened is not looked at.
    expect(row(panel(page, "Events"), "signup")).to_be_visible()
    asked: list[Request] = []
    page.on("request", lambda one: asked.append(one) if "/api/v2/query" in one.url else None)
    with page.expect_response("**/api/v2/query/batch") as answering:
        page.reload()
    answers = answering.value.json()["answers"]
    expect(row(panel(page, "Events"), "signup")).to_be_visible()
    assert len({answer["meta"]["as_of"] for answer in answers}) == 1
    paths = [urlsplit(one.url).path for one in asked]
    assert [path for path in paths if path != "/api/v2/query/not-counted"] == [
        "/api/v2/query/batch"
    ]
    # The figures and the line, each with the period before, and five panels.
    assert len(answers) == 9


def test_what_was_not_counted_is_told_with_its_reason(watched: WatchedSite, page: Page) -> None:
    with psycopg.connect(watched.store.url) as db:
        db.execute("INSERT INTO not_counted VALUES (1, current_date, 'dropped:gpc', 1234)")
    put(watched.store, *[view(n, bot="^curl") for n in range(3)])
    page.reload()
    told = rows(panel(page, "Not counted"))
    expect(told).to_have_text(
        [re.compile(r"Global Privacy Control.*1,234$"), re.compile(r"Robot.*\^curl\s*3$")]
    )
    assert watched.complaints == []


def test_a_row_filters_everything_and_back_undoes(watched: WatchedSite, page: Page) -> None:
    choose(panel(page, "Technology"), "Chrome")
    expect(pills(page)).to_have_text([re.compile(r"Browser\s*is\s*Chrome")])
    expect(rows(panel(page, "Places"))).to_have_count(1)
    expect(row(panel(page, "Places"), "France").locator("td")).to_have_text("3")
    assert filters(page) == ["is,visit:browser,Chrome"]
    page.reload()
    expect(pills(page)).to_have_text([re.compile(r"Browser\s*is\s*Chrome")])
    expect(row(panel(page, "Places"), "France").locator("td")).to_have_text("3")
    page.go_back()
    expect(pills(page)).to_have_count(0)
    expect(row(panel(page, "Places"), "Germany").locator("td")).to_have_text("7")
    page.go_forward()
    expect(pills(page)).to_have_count(1)
    assert watched.complaints == []


def test_a_filter_is_negated_and_taken_away(page: Page) -> None:
    choose(panel(page, "Pages"), "/pricing")
    expect(rows(panel(page, "Pages"))).to_have_count(1)
    page.get_by_role("button", name="is: turn into “is not”").click()
    expect(pills(page)).to_have_text([re.compile(r"Page\s*is not\s*/pricing")])
    expect(rows(panel(page, "Pages"))).to_have_count(2)
    expect(row(panel(page, "Pages"), "/pricing")).to_have_count(0)
    assert filters(page) == ["is_not,event:page,/pricing"]
    page.get_by_role("button", name="Take away: Page is not /pricing").click()
    expect(pills(page)).to_have_count(0)
    expect(rows(panel(page, "Pages"))).to_have_count(3)
    expect(page.get_by_role("button", name="Add filter")).to_be_focused()
    page.go_back()
    expect(pills(page)).to_have_count(1)


def test_two_filters_hold_together_and_go_together(page: Page) -> None:
    choose(panel(page, "Sources"), "Google")
    choose(panel(page, "Places"), "Germany")
    expect(pills(page)).to_have_count(2)
    expect(row(panel(page, "Technology"), "Firefox").locator("td")).to_have_text("3")
    assert filters(page) == ["is,visit:source,Google", "is,visit:country,DE"]
    page.get_by_role("button", name="Take all away").click()
    expect(pills(page)).to_have_count(0)
    expect(row(panel(page, "Technology"), "Firefox").locator("td")).to_have_text("9")


def test_what_is_chosen_leads_to_what_is_finer(page: Page) -> None:
    choose(panel(page, "Places"), "Germany")
    expect(row(panel(page, "Places"), "Berlin").locator("td")).to_have_text("4")
    expect(row(panel(page, "Places"), "Unknown").locator("td")).to_have_text("3")
    choose(panel(page, "Technology"), "Firefox")
    technology = panel(page, "Technology")
    expect(technology.get_by_role("combobox")).to_have_value("visit:browser_version")
    expect(row(technology, "140").locator("td")).to_have_text("5")
    page.reload()
    expect(row(technology, "140").locator("td")).to_have_text("5")
    page.get_by_role("button", name="Take away: Browser is Firefox").click()
    expect(row(technology, "Firefox").locator("td")).to_have_text("7")


def test_a_filter_is_put_together_from_suggested_and_typed_values(
    watched: WatchedSite, page: Page
) -> None:
    page.get_by_role("button", name="Add filter").click()
    dialog = page.get_by_role("dialog", name="Add a filter")
    dialog.get_by_label("What").select_option(label="Country")
    expect(dialog.get_by_role("checkbox")).to_have_count(2)
    dialog.get_by_role("textbox", name="Values").fill("germ")
    dialog.get_by_role("checkbox", name="Germany").check()
    keep_picture(page, "filter-dialog")
    dialog.get_by_role("button", name="Apply").click()
    expect(pills(page)).to_have_text([re.compile(r"Country\s*is\s*Germany")])
    expect(page.get_by_role("button", name="Add filter")).to_be_focused()
    page.get_by_role("button", name="Add filter").click()
    dialog.get_by_label("How").select_option(label="does not contain")
    dialog.get_by_role("textbox", name="Values").fill("PRIC")
    expect(dialog.get_by_role("checkbox")).to_have_count(1)
    dialog.get_by_role("button", name="Apply").click()
    expect(pills(page)).to_have_count(2)
    expect(row(panel(page, "Pages"), "/pricing")).to_have_count(0)
    assert filters(page) == ["is,visit:country,DE", "contains_not,event:page,PRIC"]
    page.get_by_role("button", name="PRIC: change this filter").click()
    dialog = page.get_by_role("dialog", name="Change the filter")
    dialog.get_by_label("How").select_option(label="contains")
    dialog.get_by_role("button", name="Take away PRIC").click()
    dialog.get_by_role("button", name="Apply").click()
    expect(dialog.get_by_role("alert")).to_have_text("Choose or type a value first.")
    dialog.get_by_role("textbox", name="Values").fill("doc")
    dialog.get_by_role("button", name="Apply").click()
    expect(rows(panel(page, "Pages"))).to_have_count(1)
    expect(row(panel(page, "Pages"), "/docs")).to_have_count(1)
    assert watched.complaints == []


def test_more_shows_all_rows_searched_sorted_and_paged(watched: WatchedSite, page: Page) -> None:
    put(watched.store, *[view(100 + n, page=f"/blog/{n:03}") for n in range(120)])
    page.reload()
    panel(page, "Pages").get_by_role("button", name="More of Pages, All").click()
    dialog = page.get_by_role("dialog", name="Pages: Page")
    expect(dialog.get_by_text("1–50 of 123")).to_be_visible()
    dialog.get_by_role("button", name="Next").click()
    expect(dialog.get_by_text("51–100 of 123")).to_be_visible()
    dialog.get_by_role("searchbox").fill("BLOG/11")
    expect(dialog.get_by_text("1–10 of 10")).to_be_visible()
    dialog.get_by_role("searchbox").fill("")
    dialog.get_by_role("button", name="Pageviews").click()
    expect(dialog.get_by_role("columnheader", name="Pageviews")).to_have_attribute(
        "aria-sort", "descending"
    )
    expect(rows(dialog).first).to_contain_text("/")
    keep_picture(page, "more")
    row(dialog, "/docs").get_by_role("button").click()
    expect(dialog).to_be_hidden()
    assert filters(page) == ["is,event:page,/docs"]
    assert watched.complaints == []


def test_a_csv_holds_every_row_and_no_formula(watched: WatchedSite, page: Page) -> None:
    formulas = ["=1+1", "+cmd", "-2", "@SUM(A1)", "\tindent", "\rreturn", 'a,"b"\nc']
    put(watched.store, *[view(50 + n, source=text) for n, text in enumerate(formulas)])
    page.reload()
    panel(page, "Sources").get_by_role("button", name="Details of Sources, Sources").click()
    dialog = page.get_by_role("dialog")
    with page.expect_download() as downloading:
        dialog.get_by_role("button", name="Export CSV").click()
    expect(dialog.get_by_role("status")).to_have_text("9 rows exported.")
    download = downloading.value
    assert re.fullmatch(rf"{SITE}-visit-source-[\d_-]+\.csv", download.suggested_filename)
    with Path(download.path()).open(encoding="utf-8-sig", newline="") as file:
        head, *lines = list(csv.reader(file))
    assert head == ["visit:source", "visitors", "visits", "bounce_rate", "visit_duration"]
    assert {line[0] for line in lines} == {
        "",
        "Google",
        *(f"'{f}" for f in formulas[:6]),
        'a,"b"\nc',
    }
    assert next(line[1] for line in lines if line[0] == "Google") == "6"
    assert watched.complaints == []


def test_a_page_is_opened_on_its_own_site_alone(watched: WatchedSite, page: Page) -> None:
    put(
        watched.store,
        view(50, page="//elsewhere.example/x"),
        view(51, page="@elsewhere.example"),
        view(52, page="javascript:alert(1)"),
    )
    page.reload()
    pages = panel(page, "Pages")
    link = row(pages, "/pricing").get_by_role("link")
    expect(link).to_have_attribute("href", f"https://{SITE}/pricing")
    expect(link).to_have_attribute("target", "_blank")
    expect(link).to_have_attribute("rel", re.compile("noopener"))
    expect(row(pages, "@elsewhere.example")).to_have_count(1)
    addresses = pages.get_by_role("link").evaluate_all("links => links.map(({href}) => href)")
    assert addresses
    assert all(urlsplit(address)[:2] == ("https", SITE) for address in addresses)
    expect(row(pages, "@elsewhere.example").get_by_role("link")).to_have_count(0)


def test_a_hostile_text_in_every_dimension_is_shown_as_text(
    watched: WatchedSite, chromium: Browser
) -> None:
    for number, text in enumerate(HOSTILE):
        put(watched.store, view(number, **dict.fromkeys(COLUMNS.values(), text)))
        put(
            watched.store,
            view(number, **{**dict.fromkeys(COLUMNS.values(), text), "name": "pageview"}),
        )
    context = watched.signed_in(chromium, viewport={"width": 360, "height": 800})
    page = watched.open(context, OVERVIEW)
    page.on("dialog", lambda dialog: watched.complaints.append(dialog.message))
    for name in ("Pages", "Sources", "Places", "Technology", "Events"):
        shown = panel(page, name)
        tabs = shown.get_by_role("tab")
        expect(rows(shown)).to_have_count(len(HOSTILE))
        for index in range(tabs.count()):
            tabs.nth(index).click()
            expect(tabs.nth(index)).to_have_attribute("aria-selected", "true")
            expect(shown.locator("[aria-busy=true]")).to_have_count(0)
            expect(rows(shown)).to_have_count(len(HOSTILE))
            assert set(rows(shown).locator("bdi").all_text_contents()) == set(HOSTILE)
            assert_whole(page)
    keep_picture(page, "hostile-phone")
    for dimension in [*COLUMNS, "visit:entry_page", "visit:exit_page"]:
        narrow_by_dialog(page, dimension)
        expect(pills(page).locator("bdi")).to_have_text(HOSTILE[0])
        assert filters(page)[-1] == f"is,{dimension},{HOSTILE[0]}"
        for name in ("Pages", "Sources", "Events"):
            expect(rows(panel(page, name))).to_have_count(1)
        assert_whole(page)
        page.get_by_role("button", name=re.compile("^Take away: ")).click()
    assert watched.complaints == []
    context.close()


def narrow_by_dialog(page: Page, dimension: str) -> None:
    page.get_by_role("button", name="Add filter").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("What").select_option(value=dimension)
    dialog.get_by_label(MARKUP).check()
    assert_whole(page)
    dialog.get_by_role("button", name="Apply").click()


@pytest.mark.parametrize("text", HOSTILE)
def test_a_filter_by_a_hostile_text_survives_a_reload(
    watched: WatchedSite, chromium: Browser, text: str
) -> None:
    put(watched.store, view(1, page=text), view(2))
    context = watched.signed_in(chromium, viewport={"width": 390, "height": 800})
    page = watched.open(context, OVERVIEW)
    rows(panel(page, "Pages")).filter(has_text=text).get_by_role("button").click()
    expect(pills(page).locator("bdi")).to_have_text(text)
    page.reload()
    expect(pills(page).locator("bdi")).to_have_text(text)
    expect(rows(panel(page, "Pages"))).to_have_count(1)
    assert_whole(page)
    assert watched.complaints == []
    context.close()


def test_an_invisible_text_can_be_seen_and_chosen(watched: WatchedSite, chromium: Browser) -> None:
    put(watched.store, view(1, source="\u200b\u200d"))
    context = watched.signed_in(chromium)
    page = watched.open(context, OVERVIEW)
    choose(panel(page, "Sources"), "Invisible text (U+200B U+200D)")
    assert filters(page) == ["is,visit:source,\u200b\u200d"]
    context.close()


def test_a_text_that_turns_writing_round_leaves_its_neighbours_alone(
    watched: WatchedSite, page: Page
) -> None:
    put(watched.store, view(60, source="\u202eevil"))
    page.reload()
    choose(panel(page, "Sources"), "\u202eevil")
    pill = pills(page)
    remove = pill.get_by_role("button", name=re.compile("^Take away"))
    expect(remove).to_be_visible()
    values, button = pill.locator("bdi").bounding_box(), remove.bounding_box()
    assert values is not None
    assert button is not None
    assert values["x"] < button["x"]


def test_everything_is_done_by_keyboard_alone(watched: WatchedSite, page: Page) -> None:
    places = panel(page, "Places")
    expect(row(places, "Germany")).to_be_visible()
    places.get_by_role("tab", name="Countries").focus()
    page.keyboard.press("ArrowRight")
    expect(places.get_by_role("tab", name="Regions")).to_be_focused()
    page.keyboard.press("Enter")
    expect(row(places, "Berlin")).to_be_visible()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(row(places, "Germany")).to_be_visible()
    page.keyboard.press("Tab")
    expect(row(places, "Germany").get_by_role("button")).to_be_focused()
    page.keyboard.press("Enter")
    expect(pills(page)).to_have_count(1)
    expect(row(places, "Berlin")).to_be_visible()
    # The row is gone that had it.
    expect(places.get_by_role("tabpanel")).to_be_focused()
    page.get_by_role("button", name="is: turn into “is not”").focus()
    page.keyboard.press("Enter")
    expect(pills(page)).to_have_text([re.compile(r"Country\s*is not\s*Germany")])
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(pills(page)).to_have_count(0)
    expect(page.get_by_role("button", name="Add filter")).to_be_focused()
    assert watched.complaints == []


@pytest.mark.parametrize(
    ("opener", "title"), [("Add filter", "Add a filter"), ("Details of Pages, All", "Pages: Page")]
)
def test_a_dialog_keeps_the_focus_and_gives_it_back(page: Page, opener: str, title: str) -> None:
    button = page.get_by_role("button", name=opener)
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name=title)
    expect(dialog).to_be_visible()
    inside = "dialog => dialog.contains(document.activeElement)"
    outside = "document.activeElement !== document.body"
    assert dialog.evaluate(inside)
    for key in ["Tab"] * 25 + ["Shift+Tab"] * 25:
        page.keyboard.press(key)
        # Between its last and its first element the browser itself has the focus.
        assert dialog.evaluate(inside) or not page.evaluate(outside)
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()


def test_a_panel_that_fails_leaves_the_others_and_can_be_asked_again(
    watched: WatchedSite, page: Page
) -> None:
    def fail(route: Route) -> None:
        queries = json.loads(route.request.post_data or "")["queries"]
        answers = route.fetch().json()["answers"]
        for index, query in enumerate(queries):
            if query.get("dimensions") == ["visit:source"]:
                answers[index] = {"error": {"code": "query_timeout", "message": "too slow"}}
        route.fulfill(json={"answers": answers})

    page.route("**/api/v2/query/batch", fail)
    page.reload()
    sources = panel(page, "Sources")
    expect(sources.get_by_role("alert")).to_contain_text("Choose a shorter period")
    expect(row(panel(page, "Pages"), "/pricing")).to_be_visible()
    expect(row(panel(page, "Events"), "signup")).to_be_visible()
    keep_picture(page, "panel-fault")
    page.unroute("**/api/v2/query/batch")
    sources.get_by_role("button", name="Try again").press("Enter")
    expect(row(sources, "Google")).to_be_visible()
    expect(sources.get_by_role("tabpanel")).to_be_focused()


def test_an_empty_panel_says_what_to_do(watched: WatchedSite, chromium: Browser) -> None:
    put(watched.store, view(1, **days_ago(1)))
    context = watched.signed_in(chromium)
    page = watched.open(context, OVERVIEW)
    expect(panel(page, "Events")).to_contain_text('millrace("signup"')
    panel(page, "Sources").get_by_role("tab", name="Campaigns").click()
    expect(panel(page, "Sources")).to_contain_text("?utm_campaign=spring")
    panel(page, "Sources").get_by_role("combobox").select_option(label="UTM medium")
    expect(panel(page, "Sources")).to_contain_text("?utm_medium=spring")
    page.goto(f"{watched.url}{OVERVIEW}?period=today")
    expect(panel(page, "Pages")).to_contain_text("Choose a longer one.")
    page.goto(f"{watched.url}{OVERVIEW}?f=is,visit:country,JP")
    expect(panel(page, "Pages")).to_contain_text("Nothing matches these filters.")
    panel(page, "Pages").get_by_role("button", name="Take all away").click()
    expect(rows(panel(page, "Pages"))).to_have_count(1)
    assert watched.complaints == []
    context.close()
