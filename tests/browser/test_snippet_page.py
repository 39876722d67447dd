"""What docs/snippet.md says to paste, pasted as it stands there, in a browser, under the
Content-Security-Policy that stands there."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from playwright.sync_api import APIResponse, Browser, Page, Route

from infrastructure.local.folders import CHECKOUT
from infrastructure.local.frontend import build_front_ends
from infrastructure.local.installation import chosen_ports, new_installation
from infrastructure.local.product import Product, make_product
from infrastructure.local.redis_server import RedisServer
from infrastructure.local.server import POSTGRES_SETTING, GivenServer
from infrastructure.local.stack import LocalStack
from infrastructure.manifest import read_manifest
from tests.documents import DOCS, blocks

SNIPPET = DOCS / "snippet.md"
PAGE = "https://example.com/start"
_WITHIN_S = 120.0


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    """An edge reads the tracker when it starts."""
    build_front_ends()


@pytest.fixture
def renamed(
    scratch: Path, database: str, redis_server: Callable[..., RedisServer]
) -> Iterator[Product]:
    """A product whose edge has the names of the page's own lines."""
    (lines,) = [each.text for each in blocks(SNIPPET) if "MILLRACE_EDGE_SCRIPT_PATH" in each.text]
    changes = dict(re.findall(r"^export (\w+)=(.*)$", lines, re.MULTILINE))
    folder = Path(tempfile.mkdtemp(prefix="renamed-", dir=scratch))
    stack = LocalStack(redis_server(), redis_server(), GivenServer(database, POSTGRES_SETTING))
    installation = new_installation(chosen_ports(read_manifest()))
    with make_product(folder, installation, stack, changes=changes) as started:
        yield started


def test_the_line_counts_views_of_a_plain_page_and_of_one_that_moves_on_within_itself(
    millrace: Product, chromium: Browser
) -> None:
    with_site(millrace)
    page = opened(chromium, millrace, head=block("html", 'src="https://HOST/t.js"'))
    assert counted(page, millrace) == [("pageview", "/start")]
    page.evaluate("history.pushState({}, '', '/next')")
    assert counted(page, millrace, 2)[1:] == [("pageview", "/next")]
    page.context.close()


def test_events_sent_before_the_script_has_come_are_counted(
    millrace: Product, chromium: Browser
) -> None:
    with_site(millrace)
    stub = block("html", "millrace.q=")
    script = block("html", 'src="https://HOST/t.js"')
    early = f"<script>{block('js', 'signup')}</script>"
    # Lines within the page need a word more than the policy for the edge alone.
    page = opened(chromium, millrace, head=stub + early + script, inline=True)
    assert sorted(counted(page, millrace, 3)) == [
        ("pageview", "/start"),
        ("purchase", "/start"),
        ("signup", "/start"),
    ]
    page.context.close()


@pytest.mark.parametrize("words", ["const tracker = document.createElement", "function counted()"])
def test_a_script_that_is_added_later_counts_from_then_on(
    millrace: Product, chromium: Browser, words: str
) -> None:
    with_site(millrace)
    page = opened(chromium, millrace, head="<title>Before</title>")
    added = next(text for text in all_blocks("js") if text.startswith(words))
    page.evaluate(f"(() => {{ {added}; typeof counted == 'function' && counted() }})()")
    assert counted(page, millrace) == [("pageview", "/start")]
    page.context.close()


def test_a_renamed_script_counts_and_the_old_names_are_gone(
    renamed: Product, chromium: Browser
) -> None:
    with_site(renamed)
    page = opened(chromium, renamed, head=block("html", "/assets/site.js"))
    assert counted(page, renamed) == [("pageview", "/start")]
    for gone in ("/t.js", "/track", "/pixel.gif"):
        assert page.request.get(renamed.edge_url + gone).status == 404
    page.context.close()


def test_the_pixel_counts_the_page_that_it_names(millrace: Product, chromium: Browser) -> None:
    with_site(millrace)
    page = opened(chromium, millrace, head="", body=block("html", "pixel.gif"))
    assert counted(page, millrace) == [("pageview", "/letter/7")]
    page.context.close()


def all_blocks(language: str) -> list[str]:
    return [each.text for each in blocks(SNIPPET) if each.info == language]


def block(language: str, words: str) -> str:
    """The first block of that language with these words."""
    return next(text for text in all_blocks(language) if words in text)


def policy(inline: bool) -> str:
    """The line of the page itself, and nothing else allowed."""
    (line,) = re.findall(r"^    (script-src https://HOST; .*)$", SNIPPET.read_text(), re.MULTILINE)
    if inline:
        line = line.replace("script-src", "script-src 'unsafe-inline'")
    return f"default-src 'none'; img-src https://HOST; {line}"


def with_site(product: Product) -> None:
    # A process of its own: Playwright's event loop runs in this one.
    words = ["site", "add", "example.com", "--time-zone", "UTC", "--no-wait"]
    subprocess.run(
        [sys.executable, "-P", "-m", "infrastructure.cli", *words],
        env={**os.environ, **product.settings, "PYTHONPATH": str(CHECKOUT)},
        check=True,
    )


def opened(
    browser: Browser, product: Product, *, head: str, body: str = "", inline: bool = False
) -> Page:
    """A page of https://example.com, whose HOST is the product's edge; no other host is there."""
    agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36"
    page = browser.new_context(user_agent=agent).new_page()
    html = f"<!doctype html><meta charset=utf-8>{head}<body>{body}"

    def answer(route: Route) -> None:
        address = urlsplit(route.request.url)
        if address.hostname == "host":
            here = f"{product.edge_url}{address.path}"
            query = f"?{address.query}" if address.query else ""
            route.fulfill(response=until_known(route, here + query))
        elif address.hostname == "example.com":
            headers = {"content-type": "text/html", "content-security-policy": policy(inline)}
            route.fulfill(status=200, headers=headers, body=html)
        else:
            route.abort()

    page.route("**/*", answer)
    page.goto(PAGE)
    return page


def until_known(route: Route, url: str) -> APIResponse:
    """The edge's answer, once it has heard of the site."""
    deadline = time.monotonic() + _WITHIN_S
    while True:
        response = route.fetch(url=url)
        if response.status != 400 or time.monotonic() > deadline:
            return response
        time.sleep(0.2)


def counted(page: Page, product: Product, wanted: int = 1) -> list[tuple[str, str]]:
    """(name, page) of the events that count, in their order, once there are so many."""
    found: list[tuple[str, str]] = []
    deadline = time.monotonic() + _WITHIN_S
    question = "select name, page from events where bot is null order by ts, event_id"
    with psycopg.connect(product.postgres_url, autocommit=True) as connection:
        while len(found) < wanted and time.monotonic() < deadline:
            found = connection.execute(question).fetchall()
            # The page's requests are answered in this thread, while Playwright waits.
            page.wait_for_timeout(100)
    return found
