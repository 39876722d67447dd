"""The demo's history through a real edge and writer: whole, once, and only what is missing."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import httpx
import psycopg
import pytest

from infrastructure.demo.history import days_until, events_of
from infrastructure.demo.household import SITE, settle_in
from infrastructure.demo.seed import Seed
from infrastructure.local.product import Product
from infrastructure.problem import Problem
from infrastructure.replay.import_key import ImportKey, own_key

A_DAY = 20
NOW = datetime.now(UTC)


def prepared(millrace: Product) -> ImportKey:
    asyncio.run(settle_in(millrace.postgres_url, "a long enough password"))
    return own_key(millrace.folder, millrace.postgres_url, SITE)


def seed(millrace: Product, key: ImportKey, at: datetime) -> int:
    """How many events were sent in one run."""
    shares: list[float] = []
    run = Seed(
        millrace.edge_url,
        millrace.postgres_url,
        SITE,
        key,
        A_DAY,
        lambda done, total: shares.append(done / total),
    )
    sent = asyncio.run(run.run(at))
    assert shares == sorted(shares)
    assert shares[-1] <= 1
    return sent


def stored(millrace: Product) -> tuple[int, int, int]:
    """(rows, events, visitors' days)."""
    with psycopg.connect(millrace.postgres_url) as db:
        row = db.execute(
            "select count(*), count(distinct event_id), count(distinct day)"
            " from events where visitor is not null"
        ).fetchone()
    assert row is not None
    return row


def wait_until_strangers_are_refused(millrace: Product) -> None:
    """An edge that has not heard of the keys there are leaves it to the writer to judge one."""
    stranger = {"site": "stranger.example", "url": "https://stranger.example/"}
    deadline = time.monotonic() + 90
    url = f"{millrace.edge_url}/track"
    while httpx.post(url, json=stranger, trust_env=False, timeout=60).status_code != 400:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def planned(until: datetime) -> int:
    """Events of the whole history."""
    until_ms = until.timestamp() * 1_000
    return sum(
        event.ts <= until_ms for day in days_until(until) for event in events_of(day, SITE, A_DAY)
    )


def test_a_later_start_sends_what_is_missing_and_a_third_nothing(millrace: Product) -> None:
    key = prepared(millrace)
    earlier = NOW - timedelta(days=3)
    first = seed(millrace, key, earlier)
    assert 0 < first == stored(millrace)[0]
    second = seed(millrace, key, NOW)
    # The window has moved on: its oldest three days stay as they are.
    assert 0 < second < first / 4
    rows, events, days = stored(millrace)
    assert rows == events == first + second
    assert days >= 60
    assert planned(NOW - timedelta(minutes=2)) <= rows
    assert seed(millrace, key, NOW) == 0


def test_a_key_that_the_edge_refuses_is_a_problem_said_in_a_sentence(millrace: Product) -> None:
    prepared(millrace)
    wait_until_strangers_are_refused(millrace)
    with pytest.raises(Problem, match="refuses the events with status 401"):
        seed(millrace, ImportKey("mr_" + "0" * 43, new=False), NOW)
