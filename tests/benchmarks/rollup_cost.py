"""``rollup_cost``: CPU time of writer, PostgreSQL and rollup stage for an event, until the rollups
hold it, ÷ the same without rollups.

The beacons are those of a busy site's day, one after the other; the writer has them in its stream
when the time begins. What ended processes used counts too.
"""

import time
from datetime import UTC, datetime, timedelta
from itertools import islice
from statistics import median

import psycopg
from redis import Redis

from infrastructure.local.postgres_server import PostgresServer
from infrastructure.local.stack import LocalStack, fresh_plan, local_stack
from tests.benchmarks.context import Context
from tests.benchmarks.cpu_time import cpu_s
from tests.benchmarks.figure import Figure
from tests.benchmarks.month_feed import Feed
from tests.benchmarks.month_traffic import Captured, MadeSite, beacons_of
from tests.benchmarks.one_writer import one_writer
from tests.writer_world import SEAL_KEY, put_edge, put_site
from writer.migrate import upgrade

PAIRS = 5
WARM, EVENTS = 20_000, 100_000
A_DAY = 333_000
_SITE = MadeSite("busy.example", "UTC", A_DAY)
_EDGE = "e1"
_LOOK_EVERY_S = 0.01
_PATIENCE_S = 600
_EMPTY = """
TRUNCATE events, batch, commits, site_day, rollup_day, rollup_hour, rollup_left_out;
UPDATE rollup_progress SET commit_no = coalesce(
  (SELECT last_value FROM pg_sequences WHERE sequencename = 'commit_no'), 0)
"""
_BEHIND = """
SELECT (SELECT max(commit_no) FROM commits) - commit_no FROM rollup_progress
"""


def run(context: Context) -> list[Figure]:
    """The ratio; µs an event of both beside it."""
    day = (datetime.now(UTC) - timedelta(days=3)).date()
    beacons = list(islice(beacons_of(_SITE, day), A_DAY // 2, A_DAY // 2 + WARM + EVENTS))
    with local_stack(context.folder / "rollup-cost", fresh_plan()) as stack:
        upgrade(stack.postgres_url)
        put_site(stack.postgres_url, _SITE.key)
        put_edge(stack.postgres_url, _EDGE)
        pairs = []
        for _ in range(PAIRS):
            without = _us_an_event(stack, beacons, rollups=False)
            pairs.append((_us_an_event(stack, beacons, rollups=True), without))
            context.say(f"  {pairs[-1][0]:.1f} µs an event with rollups, {without:.1f} without")
    ratios = [ours / bare for ours, bare in pairs]
    detail = {
        "events": EVENTS,
        "pairs": PAIRS,
        "us_with": round(median(ours for ours, _ in pairs), 1),
        "us_without": round(median(bare for _, bare in pairs), 1),
    }
    return [Figure("rollup_cost", median(ratios), min(ratios), max(ratios), "", detail)]


def _us_an_event(stack: LocalStack, beacons: list[Captured], *, rollups: bool) -> float:
    with psycopg.connect(stack.postgres_url, autocommit=True) as connection:
        for statement in _EMPTY.split(";"):
            connection.execute(statement.encode())
        connection.execute("CHECKPOINT")
    assert isinstance(stack.postgres, PostgresServer)
    with Redis.from_url(stack.primary_url) as redis, one_writer(stack, rollups=rollups) as writer:
        feed = Feed(redis, _EDGE, SEAL_KEY)
        feed.send(beacons[:WARM])
        _wait(stack, feed, rollups=rollups)
        began = cpu_s(writer, stack.postgres.pid)
        entries = [fields for _, fields in feed.sealed(beacons[WARM:])]
        feed.put(entries)
        _wait(stack, feed, rollups=rollups)
        used = cpu_s(writer, stack.postgres.pid) - began
    _check(stack.postgres_url, len(beacons))
    return used / (len(beacons) - WARM) * 1e6


def _wait(stack: LocalStack, feed: Feed, *, rollups: bool) -> None:
    feed.wait_until_stored(_PATIENCE_S)
    deadline = time.monotonic() + _PATIENCE_S
    with psycopg.connect(stack.postgres_url, autocommit=True) as connection:
        while rollups and connection.execute(_BEHIND).fetchone() != (0,):
            if time.monotonic() > deadline:
                raise RuntimeError("the rollups did not catch up")
            time.sleep(_LOOK_EVERY_S)


def _check(database: str, sent: int) -> None:
    with psycopg.connect(database) as connection:
        found = connection.execute("SELECT count(*) FROM events").fetchone()
    if found != (sent,):
        raise RuntimeError(f"{sent} events sent, {found} stored")
