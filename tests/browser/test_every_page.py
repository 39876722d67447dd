"""Every page as a reader may meet it: whole, without a fault that axe finds, and quiet.

`PICTURES=infrastructure/docs/screenshots ./run test tests/browser/test_every_page.py` makes the
pictures of the docs.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect

from infrastructure.demo.household import OWNER, SITE
from infrastructure.local.stack import fresh_plan, local_stack
from tests.browser.axe import faults
from tests.browser.demo_world import NEW_SITE, PASSWORD, DemoWorld, demo_world
from tests.browser.watched_site import keep_picture

A_DAY = 300
WITHIN_MS = 60_000
WIDE: ViewportSize = {"width": 1360, "height": 900}
PHONE: ViewportSize = {"width": 360, "height": 760}


class View(NamedTuple):
    """A page, what is done there, and what is to be seen then."""

    name: str
    path: str
    seen: Callable[[Page], Locator]
    act: Callable[[Page], object] = lambda page: None


def heading(name: str) -> Callable[[Page], Locator]:
    return lambda page: page.get_by_role("heading", name=name).first


def snippet(page: Page) -> Locator:
    expect(page.get_by_role("heading", name="Waiting for the first event")).to_be_visible()
    return page.get_by_role("group", name="Snippet")


def dialog(page: Page) -> Locator:
    return page.get_by_role("dialog")


def last_panel(page: Page) -> Locator:
    return page.get_by_role("region", name="Events", exact=True).locator("tbody tr").first


def press(name: str) -> Callable[[Page], object]:
    return lambda page: page.get_by_role("button", name=name).first.click()


OVERVIEW = f"/sites/{SITE}"
VIEWS = (
    View("overview", OVERVIEW, last_panel),
    # Whether anything has been counted since midnight or not.
    View(
        "overview-today",
        f"{OVERVIEW}?period=today&f=is,visit:country,US,DE",
        lambda page: page.get_by_role("region", name="Events", exact=True),
    ),
    View(
        "overview-period",
        OVERVIEW,
        lambda page: page.get_by_role("grid"),
        lambda page: page.get_by_role("button", name="Period:").click(),
    ),
    View(
        "overview-compare",
        OVERVIEW,
        lambda page: page.get_by_role("grid"),
        lambda page: page.get_by_role("button", name="Comparison:").click(),
    ),
    View("overview-more", OVERVIEW, dialog, press("More of")),
    View("overview-filter", OVERVIEW, dialog, press("Add filter")),
    View(
        "overview-save",
        f"{OVERVIEW}?f=is,visit:country,US,DE",
        dialog,
        press("Save these filters"),
    ),
    View("overview-new-site", f"/sites/{NEW_SITE}", snippet),
    View("live", f"/live?site={SITE}", lambda page: page.get_by_role("listitem").nth(30)),
    View(
        "live-bots",
        f"/live?site={SITE}",
        lambda page: page.get_by_role("log").get_by_text("Googlebot").first,
        lambda page: page.get_by_role("switch", name="Show bots").check(),
    ),
    View("live-new-site", f"/live?site={NEW_SITE}", snippet),
    View("sites", "/", lambda page: page.get_by_role("link", name=NEW_SITE)),
    View("add-site", "/add-site", heading("Add a site")),
    View("setup", f"/sites/{NEW_SITE}/setup", snippet),
    View("settings", f"/sites/{SITE}/settings", lambda page: page.get_by_label("Time zone")),
    View("keys", "/keys", lambda page: page.get_by_text("Weekly report")),
    View("edges", "/edges", lambda page: page.get_by_role("listitem").first),
    View("owners", "/owners", lambda page: page.get_by_role("listitem").first),
    View("nowhere", "/nowhere", heading("There is no such page")),
    View("unknown-site", "/sites/nowhere.test", lambda page: page.get_by_role("alert")),
)
_REFUSED = "Failed to load resource: the server responded with a status of"
NOT_KNOWN = {f"{_REFUSED} 404 (Not Found)", f"{_REFUSED} 400 (Bad Request)"}
"""What the browser's console says of the API's answers for the unknown site."""
SIGN_IN = View("sign-in", "/login", heading("Sign in"))
MAIN = {"overview", "live", "sites", "sign-in"}
"""Those of which the docs have a picture in the dark and on a phone as well."""

LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": WIDE, "color_scheme": "light"},
    "dark": {"viewport": WIDE, "color_scheme": "dark"},
    "phone": {"viewport": PHONE, "color_scheme": "light"},
    "phone-dark": {"viewport": PHONE, "color_scheme": "dark"},
    "wide": {"viewport": {"width": 1920, "height": 1080}, "color_scheme": "dark"},
    "forced-colours": {"viewport": WIDE, "forced_colors": "active"},
}

FEWER = {"phone-dark", "wide"}
"""Looks in which nothing new is to be expected of the other pages."""


@pytest.fixture(scope="module")
def world(scratch: Path) -> Iterator[DemoWorld]:
    folder = scratch / "every-page"
    folder.mkdir()
    with (
        local_stack(folder / "stack", fresh_plan()) as stack,
        demo_world(folder, stack, A_DAY) as started,
    ):
        yield started


@pytest.fixture(autouse=True)
def quiet(world: DemoWorld) -> None:
    """What an earlier test was told of is none of this one's."""
    world.complaints.clear()


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_is_whole_quiet_and_without_fault(
    world: DemoWorld, chromium: Browser, look: str
) -> None:
    how = {**LOOKS[look], "reduced_motion": "reduce", "locale": "en-GB"}
    context = world.signed_in(chromium, **how)
    views = [view for view in VIEWS if look not in FEWER or view.name in MAIN]
    found = [fault for view in views for fault in met(world.open(context, view.path), view, look)]
    context.close()
    stranger = chromium.new_context(**how)
    found += met(world.open(stranger, SIGN_IN.path), SIGN_IN, look)
    stranger.close()
    assert "\n".join(found) == ""
    assert set(world.complaints) <= NOT_KNOWN


def met(page: Page, view: View, look: str) -> list[str]:
    """Looks at the page and closes it; its faults, each with the page's name."""
    page.set_default_timeout(WITHIN_MS)
    view.act(page)
    expect(view.seen(page)).to_be_visible()
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    page.evaluate("document.fonts.ready")
    if look == "light" or (view.name in MAIN and look in ("dark", "phone")):
        keep_picture(page, view.name if look == "light" else f"{view.name}-{look}")
    found = faults(page)
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found.append("wider than its window")
    if not page.title().endswith("Millrace"):
        found.append(f"is called {page.title()!r}")
    page.close()
    return [f"{view.name}: {fault}" for fault in found]


def test_numbers_and_countries_are_in_the_reader_s_language(
    world: DemoWorld, chromium: Browser
) -> None:
    context = world.signed_in(chromium, viewport=WIDE, locale="de-DE")
    page = world.open(context, OVERVIEW)
    expect(last_panel(page)).to_be_visible()
    places = page.get_by_role("region", name="Places", exact=True)
    expect(places).to_contain_text("Vereinigte Staaten")
    figures = page.get_by_role("region", name="Figures")
    expect(figures).to_contain_text(re.compile(r"\b\d{1,3}\.\d{3}\b"))
    expect(figures).not_to_contain_text(re.compile(r"\d,\d{3}\b"))
    context.close()


def test_everything_is_read_by_keyboard_alone(world: DemoWorld, chromium: Browser) -> None:
    context = chromium.new_context(viewport=WIDE)
    page = world.open(context, "/")
    page.set_default_timeout(WITHIN_MS)
    page.get_by_label("E-mail").wait_for()
    for name, text in (("E-mail", OWNER), ("Password", PASSWORD)):
        go_to(page, page.get_by_label(name))
        page.keyboard.type(text)
    page.keyboard.press("Enter")
    site = page.get_by_role("link", name=SITE, exact=True)
    follow(page, site)
    expect(last_panel(page)).to_be_visible()
    follow(page, page.get_by_role("button", name="Period:"))
    follow(page, page.get_by_role("button", name="Last 7 days"))
    expect(page).to_have_url(re.compile("period=last-7-days"))
    row = page.get_by_role("region", name="Pages", exact=True).locator("tbody button").first
    follow(page, row)
    expect(page).to_have_url(re.compile("f=is,event:page,"))
    follow(page, page.get_by_role("button", name="Take away"))
    expect(page).not_to_have_url(re.compile("f=is"))
    follow(page, page.get_by_role("link", name="Live"))
    expect(page.get_by_role("listitem").nth(30)).to_be_attached()
    bots = page.get_by_role("switch", name="Show bots")
    go_to(page, bots)
    page.keyboard.press("Space")
    expect(bots).to_be_checked()
    follow(page, page.get_by_role("button", name="Sign out"))
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert world.complaints == []
    context.close()


def follow(page: Page, there: Locator) -> None:
    go_to(page, there)
    page.keyboard.press("Enter")


def go_to(page: Page, there: Locator) -> None:
    """By the tabulator, forwards: every element is reached in one round."""
    there.wait_for()
    for _ in range(120):
        if there.evaluate("element => element === document.activeElement"):
            assert there.evaluate("element => element.matches(':focus-visible')")
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the keyboard does not reach {there}")


def test_a_request_to_another_host_could_not_even_begin(
    world: DemoWorld, chromium: Browser
) -> None:
    context = world.signed_in(chromium)
    page = world.open(context, OVERVIEW)
    policy = (page.request.get(f"{world.url}{OVERVIEW}")).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    with page.expect_console_message(lambda line: "Content Security Policy" in line.text):
        refused = page.evaluate("fetch('https://elsewhere.example/').then(() => false, () => true)")
    assert refused
    assert page.locator("[style]").count() == 0
    context.close()
