"""The tracker that a real edge serves, counted by that edge."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from redis import Redis

from infrastructure.local.ports import free_ports
from shared import keys
from shared.beacon import Caller
from shared.beacon_reader import read
from shared.snapshot import REDIS_KEY, SiteRules
from tests.browser.tracked_site import TrackedSite, tracked_site
from tests.edge_under_test import SEAL_KEY, SIGNING_KEY, signed, snapshot, stored_envelopes


@pytest.fixture
def site() -> Iterator[TrackedSite]:
    with tracked_site() as started:
        yield started


@contextmanager
def edge_process(primary: str, spool: str, state: Path) -> Iterator[str]:
    """The URL of ``python -m edge`` once it can store durably."""
    port, ops_port = free_ports(2)
    environ = {
        "MILLRACE_PRIMARY_URL": primary,
        "MILLRACE_SPOOL_URL": spool,
        "MILLRACE_EDGE_NAME": "test",
        "MILLRACE_EDGE_PORT": str(port),
        "MILLRACE_EDGE_OPS_PORT": str(ops_port),
        "MILLRACE_EDGE_STATE_DIR": str(state),
        "MILLRACE_CORE_VERIFY_KEY": keys.public_signing_key(SIGNING_KEY),
        "MILLRACE_SEAL_PUBLIC_KEY": keys.public_seal_key(SEAL_KEY),
        # A disk that stalls for a moment makes no hung primary, whose beacons the spool would keep.
        "MILLRACE_EDGE_PING_TIMEOUT_S": "10",
        "MILLRACE_SPOOL_TIMEOUT_S": "20",
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MILLRACE_")}
    process = subprocess.Popen([sys.executable, "-m", "edge"], env={**kept, **environ})
    try:
        wait_until_ready(f"http://127.0.0.1:{ops_port}/readyz", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(120)


def wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=10):
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("the edge did not become ready")


def know_site(redis_urls: tuple[str, ...], *origins: str) -> None:
    """What the core would have published: one site, and who may send for it."""
    published = signed(snapshot(sites=(SiteRules("shop.example", origins=origins),)))
    for url in redis_urls:
        with Redis.from_url(url) as redis:
            redis.set(REDIS_KEY, published)


def test_what_the_page_sends_is_stored_by_the_edge_that_served_the_tracker(
    chromium: Browser, site: TrackedSite, primary: str, spool: str, tmp_path: Path
) -> None:
    know_site((primary, spool), site.url)
    with edge_process(primary, spool, tmp_path) as edge:
        site.script = f"{edge}/t.js"
        page = chromium.new_page()
        with page.expect_response("**/track") as pageview:
            page.goto(f"{site.url}/basket")
        with page.expect_response("**/track") as signup:
            page.evaluate("millrace('signup', {props: {plan: 'pro'}})")
        answers = [each.value.json() for each in (pageview, signup)]
        page.close()
    assert [answer["accepted"] for answer in answers] == [1, 1]
    envelopes = stored_envelopes(primary)
    first, second = (read(each.body, Caller(each.received_at)).beacons[0] for each in envelopes)
    assert (first.name, first.url, first.site) == ("pageview", f"{site.url}/basket", "shop.example")
    assert (second.name, second.props) == ("signup", {"plan": "pro"})
    assert first.id
    assert first.id != second.id


def test_an_origin_that_the_site_does_not_list_is_told_so(
    chromium: Browser, site: TrackedSite, primary: str, spool: str, tmp_path: Path
) -> None:
    know_site((primary, spool))
    with edge_process(primary, spool, tmp_path) as edge:
        site.script = f"{edge}/t.js"
        page = chromium.new_page()
        with page.expect_console_message(lambda line: "not counted" in line.text) as told:
            page.goto(f"{site.url}/basket")
        page.close()
    assert "forbidden_origin" in told.value.text
    assert stored_envelopes(primary) == []
