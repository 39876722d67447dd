"""Every page as a reader may meet it: whole, without a fault that axe finds, and quiet.

`PICTURES=infrastructure/docs/screenshots ./run test tests/browser/test_every_page.py` makes the
pictures of the docs.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from infrastructure.demo.household import SITE
from infrastructure.local.stack import fresh_plan, local_stack
from tests.browser.axe import faults
from tests.browser.demo_world import NEW_SITE, DemoWorld, demo_world
from tests.browser.watched_site import keep_picture

A_DAY = 300
WITHIN_MS = 60_000
WIDE, PHONE = {"width": 1360, "height": 900}, {"width": 360, "height": 760}


class View(NamedTuple):
    """A page, what is done there, and what is to be seen then."""

    name: str
    path: str
    seen: Callable[[Page], Locator]
    act: Callable[[Page], object] = lambda page: None


def heading(name: str) -> Callable[[Page], Locator]:
    return lambda page: page.get_by_role("heading", name=name).first


def dialog(page: Page) -> Locator:
    return page.get_by_role("dialog")


def last_panel(page: Page) -> Locator:
    return page.get_by_role("region", name="Events", exact=True).locator("tbody tr").first


def press(name: str) -> Callable[[Page], object]:
    return lambda page: page.get_by_role("button", name=name).first.click()


OVERVIEW = f"/sites/{SITE}"
VIEWS = (
    View("overview", OVERVIEW, last_panel),
    View("overview-today", f"{OVERVIEW}?period=today&f=is,visit:country,US,DE", last_panel),
    View(
        "overview-period",
        OVERVIEW,
        lambda page: page.get_by_role("grid"),
        lambda page: page.get_by_role("button", name="Period:").click(),
    ),
    View("overview-more", OVERVIEW, dialog, press("More of")),
    View("overview-filter", OVERVIEW, dialog, press("Add filter")),
    View("overview-new-site", f"/sites/{NEW_SITE}", heading("Waiting for the first event")),
    View("live", f"/live?site={SITE}", lambda page: page.get_by_role("listitem").nth(30)),
    View(
        "live-bots",
        f"/live?site={SITE}",
        lambda page: page.get_by_role("log").get_by_text("Googlebot").first,
        lambda page: page.get_by_role("switch", name="Show bots").check(),
    ),
    View("live-new-site", f"/live?site={NEW_SITE}", heading("Waiting for the first event")),
    View("sites", "/", lambda page: page.get_by_role("link", name=NEW_SITE)),
    View("add-site", "/add-site", heading("Add a site")),
    View("setup", f"/sites/{NEW_SITE}/setup", heading("Waiting for the first event")),
    View("settings", f"/sites/{SITE}/settings", lambda page: page.get_by_label("Time zone")),
    View("keys", "/keys", lambda page: page.get_by_text("Weekly report")),
    View("edges", "/edges", lambda page: page.get_by_role("listitem").first),
    View("owners", "/owners", lambda page: page.get_by_role("listitem").first),
    View("unknown-site", "/sites/nowhere.test", lambda page: page.get_by_role("alert")),
)
NOT_FOUND = "Failed to load resource: the server responded with a status of 404 (Not Found)"
"""What the browser's console says of the API's answer for the unknown site."""
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
def patience() -> Iterator[None]:
    """A busy machine is no fault of the page."""
    expect.set_options(timeout=WITHIN_MS)
    yield
    expect.set_options(timeout=None)


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
    assert set(world.complaints) <= {NOT_FOUND}


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
