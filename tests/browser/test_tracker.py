"""The built tracker on real pages in Chromium, against an endpoint whose failures are steered."""

import re
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route

from edge.http.script import BUILT
from infrastructure.local.ports import free_ports
from tests.browser.tracked_site import STUB, Answer, TrackedSite, refusal, tracked_site

HIDEABLE = """
let hidden = %s;
Object.defineProperty(document, "hidden", {get: () => hidden});
window.hide = (now) => {
  hidden = now;
  document.dispatchEvent(new Event("visibilitychange", {bubbles: true}));
};
"""


@pytest.fixture
def site() -> Iterator[TrackedSite]:
    with tracked_site() as started:
        yield started


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    made = chromium.new_context(viewport={"width": 1280, "height": 720})
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.fixture
def console(page: Page) -> list[str]:
    """What the tracker said in the console."""
    said: list[str] = []
    page.on("console", lambda line: said.append(line.text) if "millrace" in line.text else None)
    return said


@pytest.fixture
def errors(page: Page) -> list[str]:
    """Exceptions and rejections that nobody caught."""
    seen: list[str] = []
    page.on("pageerror", lambda error: seen.append(str(error)))
    return seen


def say_nothing_was_sent(page: Page, site: TrackedSite) -> None:
    # A pageview starts with the script: what came before this answer would have come by now.
    page.evaluate("fetch('/marker').then(answer => answer.text())")
    assert site.requests.empty()


def open_and_settle(page: Page, url: str, referer: str | None = None) -> None:
    """Opens a page, and comes back when the tracker has the answer to its pageview: what it still
    waits for goes once more when the page is left or hidden."""
    with page.expect_response("**/track") as answer:
        page.goto(url, referer=referer)
    answer.value.finished()
    page.evaluate("0")


def push_and_settle(page: Page, path: str) -> None:
    """Navigates, and comes back when the tracker, which looks 99 ms later, has looked."""
    page.evaluate(
        "path => new Promise(done => { history.pushState({}, '', path); setTimeout(done, 100) })",
        path,
    )


def test_a_page_is_counted_when_it_is_loaded(site: TrackedSite, page: Page) -> None:
    page.goto(f"{site.url}/basket?utm_source=news#top", referer="https://search.example/q")
    request = site.next_request()
    event = request.event
    assert UUID(event.pop("id"))
    assert 0 <= event.pop("age_ms") < 10_000
    assert event == {
        "site": "shop.example",
        "name": "pageview",
        "url": f"{site.url}/basket?utm_source=news",
        "referrer": "https://search.example/q",
        "title": "A page",
        "width": 1280,
    }
    assert request.headers["content-type"].startswith("text/plain")
    assert not request.is_beacon_api


def test_navigation_within_the_page_is_counted_with_its_new_title(
    site: TrackedSite, page: Page
) -> None:
    page.goto(f"{site.url}/one", referer="https://search.example/")
    first = site.next_event()
    page.evaluate("history.pushState({}, '', '/two'); document.title = 'Two'")
    second = site.next_event()
    page.evaluate("history.back()")
    third = site.next_event()
    urls = [event["url"].removeprefix(site.url) for event in (first, second, third)]
    assert urls == ["/one", "/two", "/one"]
    assert second["title"] == "Two"
    assert [event["referrer"] for event in (first, second)] == ["https://search.example/", ""]
    assert len({event["id"] for event in (first, second, third)}) == 3


def test_the_same_address_twice_in_a_row_is_one_view(site: TrackedSite, page: Page) -> None:
    page.goto(f"{site.url}/one")
    site.next_event()
    push_and_settle(page, "/one")
    push_and_settle(page, "/one#part")
    push_and_settle(page, "/two")
    assert site.next_event()["url"] == f"{site.url}/two"


def test_an_address_that_is_only_replaced_is_not_a_view(site: TrackedSite, page: Page) -> None:
    page.add_init_script(HIDEABLE % "false")
    open_and_settle(page, f"{site.url}/one")
    site.next_event()
    page.evaluate("history.replaceState({}, '', '/replaced'); hide(true); hide(false)")
    push_and_settle(page, "/two")
    assert site.next_event()["url"] == f"{site.url}/two"


def test_fragments_are_views_of_their_own_with_data_hash(site: TrackedSite, page: Page) -> None:
    site.attributes = "data-local data-hash"
    page.goto(f"{site.url}/app#/inbox")
    assert site.next_event()["url"] == f"{site.url}/app#/inbox"
    page.evaluate("location.hash = '/sent'")
    assert site.next_event()["url"] == f"{site.url}/app#/sent"


def test_a_page_in_the_background_is_counted_once_it_is_seen(site: TrackedSite, page: Page) -> None:
    page.add_init_script(HIDEABLE % "true")
    page.goto(f"{site.url}/one")
    say_nothing_was_sent(page, site)
    with page.expect_response("**/track") as answer:
        page.evaluate("hide(false)")
    answer.value.finished()
    page.evaluate("hide(true); hide(false)")
    assert site.next_event()["url"] == f"{site.url}/one"
    page.evaluate("millrace('marker')")
    assert site.next_event()["name"] == "marker"


def test_the_referrer_is_forgotten_by_a_move_in_the_background_too(
    site: TrackedSite, page: Page
) -> None:
    page.add_init_script(HIDEABLE % "false")
    open_and_settle(page, f"{site.url}/one", referer="https://search.example/")
    assert site.next_event()["referrer"] == "https://search.example/"
    page.evaluate("hide(true)")
    push_and_settle(page, "/two")
    page.evaluate("hide(false)")
    event = site.next_event()
    assert (event["url"], event["referrer"]) == (f"{site.url}/two", "")


def test_a_page_back_from_the_browsers_cache_is_a_view(site: TrackedSite, page: Page) -> None:
    page.add_init_script(HIDEABLE % "false")
    open_and_settle(page, f"{site.url}/one")
    first = site.next_event()
    page.evaluate("dispatchEvent(new Event('pagehide')); hide(true); hide(false)")
    again = site.next_event()
    assert again["url"] == first["url"]
    assert again["id"] != first["id"]


def test_a_custom_event_carries_its_props_and_revenue(site: TrackedSite, page: Page) -> None:
    page.goto(f"{site.url}/one")
    site.next_event()
    page.evaluate(
        "millrace('signup', {props: {plan: 'pro', seats: 3},"
        " revenue: {amount: '12.50', currency: 'EUR'}})"
    )
    event = site.next_event()
    assert event["name"] == "signup"
    assert event["url"] == f"{site.url}/one"
    assert event["props"] == {"plan": "pro", "seats": 3}
    assert event["revenue"] == {"amount": "12.50", "currency": "EUR"}


def test_calls_made_before_the_tracker_came_are_counted_after_the_view(
    site: TrackedSite, page: Page
) -> None:
    site.head += STUB + "<script>millrace('early', {props: {a: 1}}); millrace('next')</script>"
    page.goto(f"{site.url}/one")
    events = {event["name"]: event for event in (site.next_event() for _ in range(3))}
    assert set(events) == {"pageview", "early", "next"}
    assert events["early"]["props"] == {"a": 1}


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_was_not_taken_is_sent_again_with_the_same_id_and_its_age(
    status: int, site: TrackedSite, page: Page, console: list[str]
) -> None:
    site.answers.put(refusal(status, "unavailable", "later", **{"Retry-After": "1"}))
    page.goto(f"{site.url}/one")
    first, second = site.next_event(), site.next_event()
    assert first["id"] == second["id"]
    assert second["age_ms"] - first["age_ms"] >= 2_000  # Retry-After, and a second of its own.
    assert {**first, "age_ms": 0} == {**second, "age_ms": 0}
    assert console == []


def test_the_pauses_between_tries_grow(site: TrackedSite, page: Page) -> None:
    site.answers.put(Answer(503))
    site.answers.put(Answer(503))
    page.goto(f"{site.url}/one")
    ages = [site.next_event()["age_ms"] for _ in range(3)]
    assert ages[1] - ages[0] >= 1_000
    assert ages[2] - ages[1] >= 2_000


def test_new_events_do_not_wait_for_one_that_is_tried_again(site: TrackedSite, page: Page) -> None:
    site.answers.put(refusal(503, "unavailable", "later", **{"Retry-After": "600"}))
    page.goto(f"{site.url}/one")
    site.next_event()
    page.evaluate("millrace('signup')")
    assert site.next_event()["name"] == "signup"


def test_an_edge_that_cannot_be_reached_is_tried_until_it_is_back(
    site: TrackedSite, page: Page, errors: list[str]
) -> None:
    port = free_ports(1)[0]
    site.attributes = f'data-local data-path="http://127.0.0.1:{port}/track"'
    with page.expect_event("requestfailed"):
        page.goto(f"{site.url}/one")
    with page.expect_event("requestfailed"):
        page.evaluate("millrace('signup')")
    with tracked_site(port) as edge:
        events = [edge.next_event(), edge.next_event()]
    assert {event["name"] for event in events} == {"pageview", "signup"}
    assert all(event["age_ms"] >= 1_000 for event in events)
    assert errors == []


def test_what_is_pending_goes_by_send_beacon_when_the_page_goes_away(
    site: TrackedSite, page: Page
) -> None:
    site.answers.put(refusal(503, "unavailable", "later", **{"Retry-After": "600"}))
    page.goto(f"{site.url}/one")
    first = site.next_request()
    site.attributes = "data-path=/elsewhere"
    page.goto(f"{site.url}/two")
    last = site.next_request()
    assert not first.is_beacon_api
    assert last.is_beacon_api
    assert last.event["id"] == first.event["id"]
    assert last.event["age_ms"] >= first.event["age_ms"]


def test_leaving_sends_nothing_when_nothing_is_pending(site: TrackedSite, page: Page) -> None:
    open_and_settle(page, f"{site.url}/one")
    with page.expect_response("**/track") as answer:
        page.evaluate("millrace('signup')")
    answer.value.finished()
    page.evaluate("0")
    site.next_event(), site.next_event()
    page.goto(f"{site.url}/two")
    assert site.next_event()["url"] == f"{site.url}/two"


@pytest.mark.parametrize(
    ("wish", "value"), [("doNotTrack", "'1'"), ("globalPrivacyControl", "true")]
)
def test_who_does_not_want_to_be_counted_is_not(
    wish: str, value: str, site: TrackedSite, page: Page, console: list[str]
) -> None:
    page.add_init_script(f"Object.defineProperty(navigator, '{wish}', {{get: () => {value}}})")
    page.goto(f"{site.url}/one")
    page.evaluate("millrace('signup')")
    say_nothing_was_sent(page, site)
    assert console == [f"millrace: not counted: {wish}"]


def test_a_wish_that_is_not_made_keeps_nobody_out(site: TrackedSite, page: Page) -> None:
    page.add_init_script(
        "Object.defineProperty(navigator, 'doNotTrack', {get: () => 'unspecified'});"
        "Object.defineProperty(navigator, 'globalPrivacyControl', {get: () => false})"
    )
    page.goto(f"{site.url}/one")
    assert site.next_event()["name"] == "pageview"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_nothing_is_counted_on_localhost_without_data_local(
    host: str, site: TrackedSite, page: Page, console: list[str]
) -> None:
    site.attributes = ""
    page.goto(f"{site.url}/one".replace("127.0.0.1", host))
    page.evaluate("millrace('signup')")
    say_nothing_was_sent(page, site)
    assert console == ["millrace: not counted: localhost"]


@pytest.mark.parametrize("host", ["shop.localhost", "a.b.localhost", "0.0.0.0", "127.9.9.9"])
def test_other_names_of_localhost_are_localhost_too(
    host: str, site: TrackedSite, page: Page, console: list[str]
) -> None:
    beacons = open_as(page, site, host)
    page.evaluate("millrace('signup')")
    page.evaluate("fetch('/marker').then(answer => answer.text())")
    assert beacons == []
    assert console == ["millrace: not counted: localhost"]


@pytest.mark.parametrize("host", ["mylocalhost", "localhost.example", "10.0.0.0", "0.example"])
def test_names_that_only_look_like_localhost_are_counted(
    host: str, site: TrackedSite, page: Page
) -> None:
    beacons = open_as(page, site, host)
    page.evaluate("fetch('/marker').then(answer => answer.text())")
    assert len(beacons) == 1


def open_as(page: Page, site: TrackedSite, host: str) -> list[str]:
    """A page with the tracker on a `host` that need not exist; returns the beacons it sends."""
    beacons: list[str] = []
    site.attributes = ""

    def answer(route: Route) -> None:
        if route.request.url.endswith("/t.js"):
            route.fulfill(body=BUILT.read_text(), content_type="text/javascript")
        elif route.request.method == "POST":
            beacons.append(route.request.post_data or "")
            route.fulfill(status=202, body="{}")
        else:
            route.fulfill(body=site.page(), content_type="text/html")

    page.route(f"http://{host}/**", answer)
    page.goto(f"http://{host}/page")
    return beacons


def test_nothing_is_counted_on_a_page_opened_from_a_file(
    site: TrackedSite, page: Page, console: list[str], tmp_path: Path
) -> None:
    site.attributes, site.script = "", f"{site.url}/t.js"
    (tmp_path / "page.html").write_text(site.page())
    page.goto((tmp_path / "page.html").as_uri())
    page.evaluate("millrace('signup')")
    assert site.requests.empty()
    assert console == ["millrace: not counted: localhost"]


def test_a_refusal_says_why_once_and_is_not_tried_again(
    site: TrackedSite, page: Page, console: list[str]
) -> None:
    for _ in range(3):
        site.answers.put(refusal(403, "forbidden_origin", "not for this origin"))
    page.goto(f"{site.url}/one")
    for name in ("a", "b"):
        with page.expect_response("**/track") as answer:
            page.evaluate(f"millrace('{name}')")
        answer.value.finished()
    page.evaluate("0")
    assert len(console) == 1
    assert re.search("forbidden_origin.*not for this origin", console[0])
    ids = [site.next_event()["id"] for _ in range(3)]
    assert len(set(ids)) == 3


@pytest.mark.parametrize("status", [431, 451, 499])
def test_any_refusal_of_the_request_itself_is_final(
    status: int, site: TrackedSite, page: Page
) -> None:
    site.answers.put(refusal(status, "head_too_large", "too large"))
    with page.expect_console_message(lambda line: "head_too_large" in line.text):
        page.goto(f"{site.url}/one")
    site.next_event()
    site.attributes = "data-path=/elsewhere"
    page.goto(f"{site.url}/two")
    page.evaluate("fetch('/marker').then(answer => answer.text())")
    assert site.requests.empty()


def test_a_drop_says_its_reason(site: TrackedSite, page: Page, console: list[str]) -> None:
    site.answers.put(Answer(202, {"x-millrace-dropped": "excluded"}))
    with page.expect_console_message(lambda line: "millrace" in line.text):
        page.goto(f"{site.url}/one")
    assert console == ["millrace: not counted: excluded"]


def test_at_most_a_hundred_events_wait_and_the_rest_says_so(
    site: TrackedSite, page: Page, console: list[str]
) -> None:
    for _ in range(100):
        site.answers.put(refusal(503, "unavailable", "later", **{"Retry-After": "600"}))
    page.goto(f"{site.url}/one")
    page.evaluate("for (let i = 0; i < 150; i++) millrace('event', {props: {i}})")
    events = [site.next_event() for _ in range(100)]
    page.evaluate("0")
    assert console == ["millrace: not counted: queue full"]
    assert len({event["id"] for event in events}) == 100
    assert max(event["props"]["i"] for event in events if "props" in event) == 98


def test_an_event_that_cannot_be_written_out_does_not_disturb_the_page(
    site: TrackedSite, page: Page, console: list[str], errors: list[str]
) -> None:
    page.goto(f"{site.url}/one")
    site.next_event()
    said = page.evaluate(
        "(() => { const props = {}; props.self = props;"
        " millrace('loop', {props}); millrace('big', {props: {n: 1n}}); return 'still here' })()"
    )
    page.evaluate("millrace('sound')")
    assert site.next_event()["name"] == "sound"
    assert said == "still here"
    assert errors == []
    assert len(console) == 2


def test_an_event_too_large_to_be_kept_alive_gets_its_answer(
    site: TrackedSite, page: Page, console: list[str]
) -> None:
    page.goto(f"{site.url}/one")
    site.next_event()
    site.answers.put(refusal(413, "too_large", "over 64 KiB"))
    with page.expect_console_message(lambda line: "too_large" in line.text):
        page.evaluate("millrace('big', {props: {text: 'x'.repeat(70000)}})")
    assert site.next_event()["name"] == "big"


@pytest.mark.parametrize(
    "title",
    [
        "</script><img src=x onerror=alert(1)>\u0000\u2028\"'\\",
        "\U0001f600" * 500,
        "日本語" * 500,
        "lone \\ud800 surrogate",
    ],
)
def test_a_hostile_title_arrives_whole_or_shortened(
    title: str, site: TrackedSite, page: Page, errors: list[str]
) -> None:
    page.goto(f"{site.url}/one")
    site.next_event()
    page.evaluate("title => { document.title = JSON.parse('\"' + title + '\"') }", escaped(title))
    shown = page.evaluate("document.title")
    page.evaluate("millrace('titled')")
    sent = site.next_event()["title"]
    assert len(sent.encode("utf-8", "surrogatepass")) <= 300
    assert shown.startswith(sent.removesuffix("\ud83d"))
    assert sent
    assert errors == []


def escaped(title: str) -> str:
    """Ready to stand in a JSON string; a surrogate that is written out stays so."""
    return "".join(
        each
        if each.isalnum() or each in " \\"
        else "".join(f"\\u{unit:04x}" for unit in memoryview(each.encode("utf-16-le")).cast("H"))
        for each in title.replace("\"'\\", "\"'")
    )


def test_a_long_address_is_shortened_to_what_the_edge_takes(site: TrackedSite, page: Page) -> None:
    page.goto(f"{site.url}/one?{'q' * 3000}")
    assert len(site.next_event()["url"]) == 2048


def test_nothing_is_stored_and_no_cookie_is_set(
    site: TrackedSite, page: Page, context: BrowserContext
) -> None:
    site.answers.put(Answer(503))
    page.goto(f"{site.url}/one")
    page.evaluate("millrace('signup'); history.pushState({}, '', '/two')")
    ids = [site.next_event()["id"] for _ in range(4)]
    assert len(set(ids)) == 3
    assert context.cookies() == []
    stored = page.evaluate(
        "(async () => [localStorage.length, sessionStorage.length,"
        " (await indexedDB.databases()).length, (await caches.keys()).length, document.cookie])()"
    )
    assert stored == [0, 0, 0, 0, ""]


def test_the_pages_own_names_stay_its_own(site: TrackedSite, page: Page) -> None:
    page.goto("about:blank")
    page.goto(f"{site.url}/one")
    site.next_event()
    bare = site.page().replace("defer src", "data-src")
    ours = page.evaluate("Object.keys(window)")
    page.route("**/bare", lambda route: route.fulfill(body=bare, content_type="text/html"))
    page.goto(f"{site.url}/bare")
    assert set(ours) - set(page.evaluate("Object.keys(window)")) == {"millrace"}
