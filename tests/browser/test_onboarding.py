"""From the first start to the first event, and the pages for sites, keys and edges."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx
import psycopg
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from api.database import open_transaction
from api.sign_in_links import put_sign_in_link, sign_in_address
from infrastructure.local.frontend import build_front_ends
from infrastructure.local.product import Product
from shared.program import PROGRAM
from tests.browser.tracked_site import tracked_site
from tests.browser.watched_site import EMAIL, PASSWORD, WatchedSite, keep_picture, watched_site
from tests.integration.live_world import SITE, event
from tests.journeys.visit_world import BROWSER

WITHIN_MS = 60_000


@pytest.fixture
def watched(database: str, primary: str, scratch: Path) -> Iterator[WatchedSite]:
    with watched_site(database, primary, scratch) as started:
        yield started


@pytest.fixture
def signed_in(watched: WatchedSite, chromium: Browser) -> Iterator[BrowserContext]:
    context = watched.signed_in(chromium, viewport={"width": 1200, "height": 900})
    yield context
    assert watched.complaints == []
    context.close()


def execute(url: str, statement: str, *values: Any) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode(), values)


def type_on_the_server(product: Product, command: str) -> None:
    """What the page told the reader to type, with a password from standard input."""
    words = shlex.split(command.removeprefix(f"{PROGRAM} "))
    settings = {name: value for name, value in os.environ.items() if "MILLRACE_" not in name}
    subprocess.run(
        [sys.executable, "-m", "infrastructure.cli", *words, "--password-file", "-"],
        input=f"{PASSWORD}\n",
        env={**settings, "MILLRACE_POSTGRES_URL": product.postgres_url},
        text=True,
        check=True,
        timeout=240,
    )


def waiting(page: Page) -> Locator:
    return page.get_by_role("heading", name="Waiting for the first event")


def test_from_the_first_start_to_the_first_event(millrace: Product, chromium: Browser) -> None:
    build_front_ends()
    context = chromium.new_context(
        viewport={"width": 1200, "height": 900}, timezone_id="Europe/Berlin"
    )
    context.set_default_timeout(WITHIN_MS)
    page = context.new_page()
    page.goto(millrace.api_url)
    expect(page.get_by_role("heading", name="Nobody can sign in yet")).to_be_visible()
    keep_picture(page, "no-owner")
    command = page.get_by_role("group", name="Command that adds an owner").locator("code")
    assert command.inner_text() == f"{PROGRAM} owner add you@example.com"
    type_on_the_server(millrace, command.inner_text())
    page.get_by_role("button", name="I have added one").click()
    page.get_by_label("E-mail").fill("you@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_text("There is no site yet.")).to_be_visible()
    page.get_by_role("link", name="Add a site").click()
    expect(page.get_by_label("Time zone")).to_have_value("Europe/Berlin")
    page.get_by_label("Domain").fill("https://Shop.example/basket")
    page.get_by_role("button", name="Add the site").click()
    expect(page).to_have_url(f"{millrace.api_url}/sites/shop.example/setup")
    expect(waiting(page)).to_be_visible()
    expect(page.get_by_text("Nothing at all has come yet.")).to_be_visible()
    keep_picture(page, "setup-nothing")

    with tracked_site() as shop:
        snippet = page.get_by_role("group", name="Snippet").locator("code").inner_text()
        shop.element = snippet.replace("></", " data-local></")
        visitor = chromium.new_context(user_agent=BROWSER).new_page()
        # Its edge may have to hear of the site first, and then refuses the page's origin.
        refused = page.get_by_text("from pages on another domain")
        for _ in range(60):
            visitor.goto(f"{shop.url}/basket")
            if refused.is_visible():
                break
            page.wait_for_timeout(500)
        expect(refused).to_be_visible()
        expect(waiting(page)).to_be_visible()
        keep_picture(page, "setup-refused")
        page.get_by_role("link", name="Allow an origin").click()
        expect(page.get_by_label("Further origins")).to_be_focused()
        page.get_by_label("Further origins").fill(shop.url)
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("status").get_by_text("Saved")).to_be_visible()

        page.goto(f"{millrace.api_url}/sites/shop.example/setup")
        first = page.get_by_role("heading", name="The first event has come")
        for _ in range(60):
            visitor.goto(f"{shop.url}/basket")
            if first.is_visible():
                break
            page.wait_for_timeout(500)
        expect(first).to_be_visible()
        keep_picture(page, "setup-first-event")
        visitor.context.close()
    page.get_by_role("link", name="Watch it live").click()
    expect(page.get_by_role("log")).to_contain_text("/basket")
    context.close()


def make_link(watched: WatchedSite) -> str:
    async def make() -> str:
        async with open_transaction(watched.store.url) as db:
            now = datetime.now(UTC)
            return await put_sign_in_link(db, EMAIL, now, timedelta(minutes=15))

    # Playwright runs a loop in this thread.
    with ThreadPoolExecutor(1) as pool:
        return sign_in_address(watched.url, pool.submit(anyio.run, make).result())


def test_a_link_signs_in_once_and_its_token_is_gone_from_the_address(
    watched: WatchedSite, chromium: Browser
) -> None:
    link = make_link(watched)
    context = chromium.new_context()
    page = watched.open(context, link.removeprefix(watched.url))
    # Of one site there is nothing to choose.
    expect(page.get_by_role("heading", name=SITE)).to_be_visible()
    expect(page).to_have_url(f"{watched.url}/sites/{SITE}")
    page.go_back()
    assert "token" not in page.url
    stranger = watched.open(chromium.new_context(), link.removeprefix(watched.url))
    expect(stranger.get_by_role("alert")).to_contain_text("This link was used already")
    expect(stranger.get_by_role("alert")).to_contain_text(f"{PROGRAM} owner link")
    expect(stranger).to_have_url(f"{watched.url}/login")
    keep_picture(stranger, "link-used")
    # Where the page is open already, only the part behind the # changes.
    fresh = make_link(watched)
    watched.store.add_site("other.example")
    stranger.evaluate("address => { location.href = address }", fresh)
    expect(stranger.get_by_role("heading", name="Sites")).to_be_visible()
    stranger.context.close()
    context.close()


def test_an_address_that_no_page_has_leads_on(
    watched: WatchedSite, signed_in: BrowserContext
) -> None:
    for path in ("/nowhere", "/no/where", f"/sites/{SITE}/nothing"):
        page = watched.open(signed_in, path)
        expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
        expect(page.get_by_text(f"Nothing stands at {path}.")).to_be_visible()
        page.get_by_role("link", name="All sites").click()
        expect(page.get_by_role("heading", name="Sites")).to_be_visible()
    # The browser's console tells of the answers 404 too.
    assert all("status of 404" in line for line in watched.complaints)
    watched.complaints.clear()


def test_who_comes_by_another_address_is_told_the_right_one(
    watched: WatchedSite, chromium: Browser
) -> None:
    page = chromium.new_page()
    page.goto(watched.url.replace("127.0.0.1", "localhost"))
    watched.sign_in(page)
    expect(page.get_by_role("alert")).to_contain_text(f"open the dashboard at {watched.url}")
    page.close()


def test_a_site_is_refused_with_the_reason_beside_its_field(
    watched: WatchedSite, signed_in: BrowserContext
) -> None:
    page = watched.open(signed_in, "/add-site")
    domain = page.get_by_label("Domain")
    for wrong, reason in ((SITE, "there is a site example.com already"), ("a b", "lower case")):
        domain.fill(wrong)
        page.get_by_role("button", name="Add the site").click()
        expect(page.get_by_role("alert")).to_contain_text(reason)
        expect(domain).to_have_attribute("aria-invalid", "true")
    keep_picture(page, "add-site-refused")
    # The browser's console tells of the answers 409 and 400 too.
    assert all("status of 4" in line for line in watched.complaints)
    watched.complaints.clear()


def test_what_came_and_does_not_count_is_told_with_the_next_step(
    watched: WatchedSite, signed_in: BrowserContext
) -> None:
    url = watched.store.url
    watched.store.put(event(5, bot="curl"), event(4, bot="HeadlessChrome"), event(3, bot="curl"))
    execute(url, "INSERT INTO edge (edge, last_heard) VALUES ('berlin', now())")
    execute(url, "INSERT INTO boot (edge, boot, last_heard) VALUES ('berlin', 1, now())")
    told = {
        (SITE, "received"): 9,
        (SITE, "refused:forbidden_origin"): 4,
        (SITE, "refused:rate_limited"): 3,
        (SITE, "dropped:dnt"): 2,
        (SITE, "dropped:excluded"): 1,
        ("", "refused:unknown_site"): 1_234,
        ("", "dropped:gpc"): 1,
    }
    for (site, outcome), events in told.items():
        row = ("berlin", 1, site.encode(), outcome, site, events)
        execute(url, "INSERT INTO edge_count VALUES (%s, %s, %s, %s, %s, %s)", *row)
    stored = ("berlin", 1, SITE.encode(), "stored", SITE, 3)
    execute(url, "INSERT INTO ledger_count VALUES (%s, %s, %s, %s, %s, %s)", *stored)
    execute(
        url,
        "INSERT INTO quarantine (edge, site, reason, sealed, commit_no)"
        " VALUES ('berlin', %s, 'bad_json', '', 1)",
        SITE,
    )
    page = watched.open(signed_in, f"/sites/{SITE}/setup")
    rows = page.get_by_role("listitem")
    unknown = rows.filter(has_text="1,234 × for a site that is not known here")
    expect(unknown).to_contain_text("Compare data-site")
    for said in (
        "6 × on their way from the edge",
        "4 × from pages on another domain",
        "3 × over the site's rate",
        "3 × from bots: curl, HeadlessChrome",
        "2 × with Do Not Track",
        "1 × from excluded addresses",
        "1 × set aside, because they could not become events: bad_json",
        "1 × not to be tracked",
    ):
        expect(rows.filter(has_text=said)).to_have_count(1)
    expect(page.get_by_text(f"{PROGRAM} quarantine list")).to_be_visible()
    expect(page.get_by_text("Nothing at all")).to_have_count(0)
    keep_picture(page, "setup-outcomes")
    watched.store.put(event(1))
    expect(page.get_by_role("heading", name="The first event has come")).to_be_visible()
    expect(rows).to_have_count(0)


def test_the_overview_of_a_new_site_waits_for_the_first_event_and_then_shows_it(
    watched: WatchedSite, signed_in: BrowserContext
) -> None:
    page = watched.open(signed_in, f"/sites/{SITE}")
    expect(waiting(page)).to_be_visible()
    expect(page.get_by_role("group", name="Snippet")).to_contain_text(f'data-site="{SITE}"')
    watched.store.put(event(1, page="/pricing"))
    expect(waiting(page)).to_have_count(0)
    expect(page.get_by_text("/pricing").first).to_be_visible()


def test_an_edge_that_is_not_heard_is_named_as_the_reason(
    watched: WatchedSite, signed_in: BrowserContext
) -> None:
    page = watched.open(signed_in, f"/sites/{SITE}/setup")
    expect(page.get_by_role("alert")).to_contain_text("No edge has been heard of yet")
    execute(
        watched.store.url,
        "INSERT INTO edge (edge, last_heard) VALUES ('berlin', now() - interval '1 hour')",
    )
    expect(page.get_by_role("alert")).to_contain_text("No edge has been heard of since")
    expect(page.get_by_role("alert")).to_contain_text(f"{PROGRAM} status")


def test_settings_are_explained_kept_and_refused_at_their_field(
    watched: WatchedSite, signed_in: BrowserContext
) -> None:
    page = watched.open(signed_in, f"/sites/{SITE}/settings")
    save = page.get_by_role("button", name="Save")
    said = page.get_by_role("status").filter(has_text=re.compile("Saved|Nothing has changed"))
    save.click()
    expect(said).to_have_text("Nothing has changed.")
    page.get_by_label("Time zone").select_option("Asia/Tokyo")
    page.get_by_label("Further origins").fill("https://shop.example\n\n https://b.example ")
    page.get_by_label("Excluded addresses").fill("192.0.2.0/24")
    page.get_by_label("Respect Do Not Track").uncheck()
    page.get_by_label("Keep every property").uncheck()
    page.get_by_label("Properties that are kept").fill("plan")
    page.get_by_label("Keep events for so many days").fill("90")
    page.get_by_label("Keep events in the database").fill("30")
    page.get_by_label("Keep daily sums").fill("400")
    save.click()
    expect(said).to_have_text("Saved")
    # The zone holds from a later midnight; until then it is what it was.
    expect(page.get_by_text(re.compile("From .*: Asia/Tokyo"))).to_be_visible()
    expect(page.get_by_label("Time zone")).to_have_value("UTC")
    page.reload()
    expect(page.get_by_label("Further origins")).to_have_value(
        "https://shop.example\nhttps://b.example"
    )
    expect(page.get_by_label("Respect Do Not Track")).not_to_be_checked()
    expect(page.get_by_label("Properties that are kept")).to_have_value("plan")
    expect(page.get_by_label("Keep events for so many days")).to_have_value("90")
    expect(page.get_by_label("Keep events in the database")).to_have_value("30")
    expect(page.get_by_label("Keep daily sums")).to_have_value("400")
    keep_picture(page, "settings")
    excluded = page.get_by_label("Excluded addresses")
    excluded.fill("<b>not a network</b>")
    save.click()
    expect(page.get_by_role("alert")).to_contain_text("'<b>not a network</b>' is not a network")
    expect(excluded).to_be_focused()
    expect(excluded).to_have_attribute("aria-invalid", "true")
    assert all("status of 400" in line for line in watched.complaints)
    watched.complaints.clear()


def test_a_key_is_shown_once_works_and_is_revoked_after_a_question(
    watched: WatchedSite, signed_in: BrowserContext
) -> None:
    page = watched.open(signed_in, "/keys")
    expect(page.get_by_text("There is no key yet.")).to_be_visible()
    page.get_by_label("Name").fill("<i>report</i>")
    page.get_by_label("Ask for numbers").uncheck()
    page.get_by_role("button", name="Make a key").click()
    expect(page.get_by_role("alert")).to_contain_text("Choose at least one")
    page.get_by_label("Ask for numbers").check()
    page.get_by_label("For", exact=True).select_option(SITE)
    page.get_by_role("button", name="Make a key").click()
    line = page.get_by_role("group", name="The new key")
    key = line.locator("code").inner_text()
    line.get_by_role("button", name="Copy").click()
    expect(line.get_by_role("button")).to_have_text(re.compile("Copied|Marked"))
    expect(page.get_by_role("listitem")).to_have_count(1)
    keep_picture(page, "keys")
    numbers = {"site_id": SITE, "metrics": ["visitors"], "date_range": "day"}
    headers = {"authorization": f"Bearer {key}"}

    def asked() -> int:
        address = f"{watched.url}/api/v2/query"
        return httpx.post(address, json=numbers, headers=headers, timeout=60).status_code

    assert asked() == 200
    page.reload()
    expect(page.get_by_role("listitem")).to_have_count(1)
    row = page.get_by_role("listitem").filter(has_text="<i>report</i>")
    expect(row).to_contain_text("Ask for numbers")
    expect(row).to_contain_text(SITE)
    expect(page.get_by_text(key)).to_have_count(0)
    row.get_by_role("button", name="Revoke <i>report</i>").click()
    row.get_by_role("button", name="Keep").click()
    assert asked() == 200
    row.get_by_role("button", name="Revoke <i>report</i>").press("Enter")
    expect(row.get_by_role("button", name="Revoke")).to_be_focused()
    page.keyboard.press("Enter")
    expect(row).to_contain_text("revoked")
    assert asked() == 401


def test_edges_are_registered_watched_and_retired(
    watched: WatchedSite, signed_in: BrowserContext
) -> None:
    url = watched.store.url
    page = watched.open(signed_in, "/edges")
    expect(page.get_by_text("There is no edge yet")).to_be_visible()
    page.get_by_label("Edge").fill("berlin")
    page.get_by_role("button", name="Register an edge").click()
    expect(page.get_by_text("MILLRACE_EDGE_NAME=berlin")).to_be_visible()
    expect(page.get_by_text(f"{PROGRAM} keys public")).to_be_visible()
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="berlin"))
    expect(row).to_contain_text("not heard yet")
    execute(url, "UPDATE edge SET last_heard = now() + interval '1 hour', spooled_batches = 1234")
    execute(url, "UPDATE edge SET spooled_bytes = 5600000")
    execute(
        url,
        "INSERT INTO boot (edge, boot, low, lost, last_heard)"
        " VALUES ('berlin', 1, 3, '{[1,2)}', now() + interval '1 hour')",
    )
    expect(row).to_contain_text("live")
    expect(row).to_contain_text("1,234 batches, 5.6 MB")
    expect(row).to_contain_text(f"1 batch: {PROGRAM} ledger")
    expect(row).to_contain_text("2 batches")
    expect(row.get_by_role("button")).to_have_count(0)
    keep_picture(page, "edges")
    execute(url, "UPDATE edge SET last_heard = now() - interval '1 day'")
    row.get_by_role("button", name="Retire berlin").click()
    row.get_by_role("button", name="Retire", exact=True).click()
    expect(row).to_contain_text("retired")
    row.get_by_role("button", name="Bring berlin back").click()
    expect(row).to_contain_text("silent")


def test_an_owner_lets_another_in_and_sets_passwords(
    watched: WatchedSite, signed_in: BrowserContext, chromium: Browser
) -> None:
    page = watched.open(signed_in, "/owners")
    page.get_by_label("E-mail").fill("other@example.com")
    page.get_by_label("First password").fill("short")
    page.get_by_role("button", name="Add an owner").click()
    expect(page.get_by_role("alert")).to_contain_text("10 to 1024 characters")
    page.get_by_label("First password").fill("a first password")
    page.get_by_role("button", name="Add an owner").click()
    expect(page.get_by_role("listitem").filter(has_text="other@example.com")).to_be_visible()
    page.get_by_label("New password").fill("my next password")
    own = page.get_by_label("Your own password")
    own.fill("not the password")
    page.get_by_role("button", name="Set a new password").click()
    expect(page.get_by_role("alert")).to_contain_text("your own password is wrong")
    own.fill(PASSWORD)
    page.get_by_role("button", name="Set a new password").click()
    expect(page.get_by_text(f"{EMAIL} has a new password.")).to_be_visible()
    keep_picture(page, "owners")
    page.reload()
    expect(page.get_by_role("heading", name="Owners")).to_be_visible()
    elsewhere = watched.open(chromium.new_context(), "/")
    watched.sign_in(elsewhere, "my next password")
    expect(elsewhere.get_by_role("heading", name="Sites")).to_be_visible()
    elsewhere.context.close()
    assert all("status of 40" in line for line in watched.complaints)
    watched.complaints.clear()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_is_wider_than_a_phone(
    watched: WatchedSite, chromium: Browser, scheme: str
) -> None:
    execute(watched.store.url, "INSERT INTO edge (edge) VALUES ('berlin')")
    context = watched.signed_in(
        chromium, viewport={"width": 360, "height": 740}, color_scheme=scheme
    )
    for path, ready in (
        ("/", "Sites"),
        ("/add-site", "Add a site"),
        (f"/sites/{SITE}/setup", "Waiting for the first event"),
        (f"/sites/{SITE}/settings", "Settings"),
        ("/keys", "API keys"),
        ("/edges", "Edges"),
        ("/owners", "Owners"),
    ):
        page = watched.open(context, path)
        expect(page.get_by_role("heading", name=ready).first).to_be_visible()
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        keep_picture(page, f"phone-{scheme}-{ready.split()[0].lower()}")
        page.close()
    assert watched.complaints == []
    context.close()
