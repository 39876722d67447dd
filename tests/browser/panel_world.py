"""Events with any value in any dimension, written as the writer writes them, and a page whole."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
from playwright.sync_api import Page
from psycopg import sql

from tests.integration.live_world import SITE, Store

OVERVIEW = f"/sites/{SITE}"
DRAWN_WITHIN_S = 60.0

BESIDE = """() => document.documentElement.scrollWidth <= innerWidth ? [] :
  [...document.querySelectorAll("body *")]
    .filter((one) => one.getBoundingClientRect().right > innerWidth)
    .map((one) => `${one.tagName} ${one.className} ${one.textContent}`.slice(0, 90))"""

COLUMNS = {
    "event:page": "page",
    "event:name": "name",
    "event:hostname": "hostname",
    **{
        f"visit:{name}": name
        for name in (
            "source", "channel", "referrer",
            "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content",
            "country", "region", "city",
            "browser", "browser_version", "os", "os_version", "device",
        )
    },
}  # fmt: skip
"""The column of `events` that holds a dimension's value; entry and exit page are pages."""


def view(visitor: int, **values: Any) -> dict[str, Any]:
    """A pageview of `/` today by Firefox on Linux, of a visitor with no other event."""
    now = datetime.now(UTC)
    return {
        "site_id": 1,
        "ts": now,
        "event_id": uuid4(),
        "day": now.date(),
        "hour": now.hour,
        "received_at": now,
        "visitor": visitor,
        "name": "pageview",
        "interactive": True,
        "hostname": SITE,
        "page": "/",
        "channel": "Direct",
        "browser": "Firefox",
        "os": "Linux",
        "device": "desktop",
        **values,
    }


def days_ago(days: int) -> dict[str, Any]:
    """Values of an event that happened at noon so many days ago."""
    at = (datetime.now(UTC) - timedelta(days=days)).replace(hour=12, minute=0)
    return {"ts": at, "day": at.date(), "hour": 12, "received_at": at}


def put(store: Store, *events: Mapping[str, Any]) -> None:
    """Store them in one commit."""
    with psycopg.connect(store.url) as db:
        record = db.execute("SELECT open_commit()").fetchone()
        assert record is not None
        for event in events:
            _insert(db, {**event, "commit_in": record[0]})


def _insert(db: psycopg.Connection[Any], row: Mapping[str, Any]) -> None:
    names: Sequence[str] = list(row)
    statement = sql.SQL("INSERT INTO events ({}) VALUES ({})").format(
        sql.SQL(", ").join(map(sql.Identifier, names)),
        sql.SQL(", ").join(map(sql.Placeholder, names)),
    )
    db.execute(statement, row)


def assert_whole(page: Page) -> None:
    """Nothing was made of the text, and nothing of the page, once drawn, is beside its window."""
    assert page.locator("img").count() == 0
    deadline = time.monotonic() + DRAWN_WITHIN_S
    while wide := page.evaluate(BESIDE):
        assert time.monotonic() < deadline, wide
        page.wait_for_timeout(50)
