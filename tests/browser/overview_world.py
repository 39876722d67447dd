"""A site in Tokyo, whose days all have 24 hours, with two months of visits, and what the API says
of them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx
import psycopg
from playwright.sync_api import BrowserContext

from tests.browser.watched_site import WatchedSite
from tests.integration.live_world import SITE

ZONE = ZoneInfo("Asia/Tokyo")
PAGES = ("/", "/pricing", "/docs/install", "/blog/an-outage-leaves-no-trace")
COUNTRIES = ("DE", "CH", "US", "")

_INSERT = """
INSERT INTO events (site_id, ts, event_id, commit_in, day, hour, received_at, visitor, name,
                    interactive, hostname, page, source, country, browser, os, device)
VALUES (1, %(ts)s, %(event_id)s, %(commit)s, %(day)s, %(hour)s, %(ts)s, %(visitor)s,
        'pageview', true, 'example.com', %(page)s, %(source)s, %(country)s,
        'Firefox', 'Linux', 'desktop')
"""


def today() -> datetime:
    """Midnight of the site's day."""
    return datetime.now(ZONE).replace(hour=0, minute=0, second=0, microsecond=0)


def move_to_tokyo(watched: WatchedSite) -> None:
    with psycopg.connect(watched.store.url) as db:
        db.execute(
            "INSERT INTO site_setting (site_id, name, value, valid_from)"
            " VALUES (1, 'time_zone', '\"Asia/Tokyo\"', '1970-01-01Z')"
        )


def put_days(watched: WatchedSite, days: int, visitors: int = 3) -> None:
    """So many days up to today, each with one visitor more than the last but two; nothing later
    than now."""
    rows = [
        row
        for ago in range(days)
        for visitor in range(visitors + ago % 3)
        for row in visit(today() - timedelta(days=ago) + timedelta(hours=visitor), visitor)
    ]
    put_rows(watched, rows)


def visit(at: datetime, visitor: int, pages: int = 2) -> list[dict[str, Any]]:
    """Pageviews a minute apart."""
    return [
        {
            "ts": at + timedelta(minutes=number),
            "visitor": visitor + 1,
            "page": PAGES[(visitor + number) % len(PAGES)],
            "source": "Google" if visitor % 2 else "",
            "country": COUNTRIES[visitor % len(COUNTRIES)],
        }
        for number in range(1 + (visitor % pages))
    ]


def put_rows(watched: WatchedSite, rows: list[dict[str, Any]]) -> None:
    """One commit of pageviews, with their days and hours as the site counts them."""
    now = datetime.now(UTC)
    with psycopg.connect(watched.store.url) as db:
        record = db.execute("SELECT open_commit()").fetchone()
        assert record is not None
        for row in rows:
            local = row["ts"].astimezone(ZONE)
            if row["ts"] <= now:
                known = {"day": local.date(), "hour": local.hour, "event_id": uuid4()}
                db.execute(_INSERT, {**row, **known, "commit": record[0]})


def ask(watched: WatchedSite, context: BrowserContext, **question: Any) -> list[dict[str, Any]]:
    """What the API answers to the one who is signed in there."""
    cookies = {str(c["name"]): str(c["value"]) for c in context.cookies()}
    answer = httpx.post(
        f"{watched.url}/api/v2/query",
        json={"site_id": SITE, "date_range": "all", **question},
        headers={"origin": watched.url},
        cookies=cookies,
        timeout=60,
    )
    assert answer.status_code == 200, answer.text
    return list(answer.json()["results"])
