"""``rollup_lag_s``: how far the rollups are behind what is stored, while one writer takes in a
backlog as fast as it can: the age of the first commit that they do not hold, looked at ten times a
second from the first commit to the last event rolled up.

The p99 is the figure; the worst moment stands beside it, with the events a second of that time.
"""

import time
from datetime import UTC, datetime, timedelta
from itertools import islice
from statistics import quantiles

import psycopg
from redis import Redis

from infrastructure.local.stack import LocalStack, fresh_plan, local_stack
from tests.benchmarks.context import Context
from tests.benchmarks.figure import Figure
from tests.benchmarks.month_feed import Feed
from tests.benchmarks.month_traffic import MadeSite, beacons_of
from tests.benchmarks.one_writer import one_writer
from tests.writer_world import SEAL_KEY, put_edge, put_site
from writer.migrate import upgrade

EVENTS = 1_500_000
_SITE = MadeSite("busy.example", "UTC", EVENTS)
_EDGE = "e1"
_LOOK_EVERY_S = 0.1
_PATIENCE_S = 600
_LAG = """
SELECT coalesce((SELECT extract(epoch FROM clock_timestamp() - c.at) FROM commits c
  WHERE c.commit_no > p.commit_no ORDER BY c.commit_no LIMIT 1), 0)::float8
FROM rollup_progress p
"""
_HELD = "SELECT coalesce(sum(events), 0) FROM rollup_day WHERE dimension = ''"
_STORED = "SELECT count(*) FROM events WHERE bot IS NULL AND name <> 'engagement'"


def run(context: Context) -> list[Figure]:
    """The lag in seconds."""
    with local_stack(context.folder / "rollup-lag", fresh_plan()) as stack:
        upgrade(stack.postgres_url)
        put_site(stack.postgres_url, _SITE.key)
        put_edge(stack.postgres_url, _EDGE)
        with Redis.from_url(stack.primary_url) as redis:
            feed = Feed(redis, _EDGE, SEAL_KEY)
            day = (datetime.now(UTC) - timedelta(days=3)).date()
            context.say(f"  making {EVENTS:,} beacons …")
            sent = 0
            for events, fields in feed.sealed(islice(beacons_of(_SITE, day), EVENTS)):
                feed.put([fields])
                sent += events
            lags, took_s = _watch(stack, feed)
    p99 = quantiles(lags, n=100)[98]
    detail = {
        "events": sent,
        "seconds": round(took_s, 1),
        "events_per_s": round(sent / took_s),
    }
    return [Figure("rollup_lag_s", p99, min(lags), max(lags), "s", detail)]


def _watch(stack: LocalStack, feed: Feed) -> tuple[list[float], float]:
    """All lags seen, and how long it took until everything was rolled up."""
    lags: list[float] = []
    with psycopg.connect(stack.postgres_url, autocommit=True) as connection:
        with one_writer(stack, rollups=True):
            began = time.monotonic()
            left = 1
            while left or lags[-1]:
                # In this order: what is stored by now is seen by the look that follows.
                left = feed.redis.xlen(feed.stream)
                row = connection.execute(_LAG).fetchone()
                assert row is not None
                lags.append(row[0])
                if time.monotonic() > began + _PATIENCE_S:
                    raise RuntimeError("the rollups did not catch up")
                time.sleep(_LOOK_EVERY_S)
            took_s = time.monotonic() - began
        held = connection.execute(_HELD).fetchone()
        stored = connection.execute(_STORED).fetchone()
        if held != stored:
            raise RuntimeError(f"the rollups hold {held} events of {stored} stored")
    return lags, took_s
