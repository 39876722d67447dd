"""The demo's shop in Chromium: somebody clicks there, and sees it on the live page."""

import asyncio
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from api.snippet import snippet
from infrastructure.demo.household import SITE, make_sign_in_link, settle_in
from infrastructure.demo.shop import Wares, open_shop
from infrastructure.local.frontend import build_front_ends
from infrastructure.local.ports import free_ports
from infrastructure.local.product import Product
from infrastructure.traffic.browsers import BROWSERS

T = TypeVar("T")
WITHIN_MS = 60_000
KNOWN_WITHIN_MS = 500


@contextmanager
def shop_of(millrace: Product) -> Iterator[str]:
    """The shop's address, once the edge takes what its pages send."""
    (port,) = free_ports(1)
    run(settle_in(millrace.postgres_url, "a long enough password", (local(port),)))
    live_page = f"{millrace.api_url}/live?site={SITE}"
    with open_shop(port, Wares(SITE, snippet(millrace.edge_url, SITE, local=True), live_page)):
        yield local(port)


def run(work: Coroutine[Any, Any, T]) -> T:
    """In another thread: Playwright has a loop of its own in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(work)).result()


def local(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def shopper(chromium: Browser) -> BrowserContext:
    """Headless Chromium says that it is one, and is a bot to the packaged list."""
    return chromium.new_context(user_agent=BROWSERS[0][1].user_agent)


def until_taken(page: Page, shop: str) -> None:
    """Opens the shop until the edge has learnt of it with the next snapshot."""
    page.set_default_timeout(WITHIN_MS)
    for _ in range(100):
        with page.expect_response(lambda answer: answer.url.endswith("/track")) as answer:
            page.goto(shop)
        if answer.value.status == 202:
            return
        page.wait_for_timeout(KNOWN_WITHIN_MS)
    raise AssertionError("the edge never learnt of the shop")


@pytest.fixture(autouse=True)
def built() -> None:
    build_front_ends()


def test_who_clicks_in_the_shop_sees_it_live_after_signing_in_by_the_link(
    millrace: Product, chromium: Browser
) -> None:
    with shop_of(millrace) as shop:
        context = shopper(chromium)
        page = context.new_page()
        until_taken(page, shop)
        page.get_by_role("link", name="rye").click()
        page.get_by_role("button", name="Add to basket").click()
        page.get_by_role("link", name="basket").click()
        page.get_by_role("button", name="Buy").click()
        owner = chromium.new_context()
        dashboard = owner.new_page()
        dashboard.set_default_timeout(WITHIN_MS)
        link = run(make_sign_in_link(millrace.postgres_url, millrace.api_url))
        dashboard.goto(link)
        dashboard.get_by_role("button", name="Sign out").wait_for()
        dashboard.goto(f"{millrace.api_url}/live?site={SITE}")
        for seen in ("/rye", "/basket", "add to basket", "purchase"):
            expect(dashboard.get_by_text(seen, exact=True).first).to_be_visible(timeout=WITHIN_MS)
        context.close()
        owner.close()
