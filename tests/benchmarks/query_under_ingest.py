"""``query_under_ingest``: how long twelve panels take while beacons come at half the peak, ÷ how
long they take when none come; ``filtered_under_ingest``: the same with two filters.

The peak is what one writer stores of a backlog, its rollups included. The questions are about 30
days, of which the last is being filled. Idle and busy spells alternate.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from statistics import median
from typing import Any

from redis import Redis

from tests.benchmarks.context import Context
from tests.benchmarks.figure import Figure
from tests.benchmarks.month_feed import Feed
from tests.benchmarks.month_traffic import MadeSite, beacons_of
from tests.benchmarks.month_world import BUSY, BUSY_ZONE, MonthWorld
from tests.benchmarks.panels import FILTERS, LIMIT, PANELS, question

PAIRS = 5
SPELL_S = 8.0
BACKLOG = 60_000
A_DAY = 900_000
_A_BATCH = 50
_SETTLE_S = 1.0


class Pacer:
    """Feeds batches made beforehand, the last of the list first, so many events a second."""

    def __init__(self, feed: Feed, batches: list[tuple[int, dict[Any, Any]]], rate: float) -> None:
        self._feed = feed
        self._batches = batches
        self._rate = rate

    @contextmanager
    def running(self) -> Iterator[None]:
        """In a thread, as long as the context lasts."""
        ended = threading.Event()
        thread = threading.Thread(target=self._run, args=(ended,))
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _run(self, ended: threading.Event) -> None:
        began, sent = time.monotonic(), 0
        while self._batches and not ended.is_set():
            events, fields = self._batches.pop()
            self._feed.put([fields])
            sent += events
            ended.wait(max(0.0, began + sent / self._rate - time.monotonic()))
        if not ended.is_set():
            raise RuntimeError("there were too few beacons for the whole spell")


def run(context: Context) -> list[Figure]:
    """Both ratios."""
    world = context.month
    day = world.loaded.last + timedelta(days=1)
    beacons = beacons_of(MadeSite(BUSY, BUSY_ZONE, A_DAY), day)
    writer = world.product.services["writer"]
    writer.start()
    writer.wait_until_ready()
    try:
        with Redis.from_url(world.product.stack.primary_url) as redis:
            feed = world.feed(redis)
            batches = list(feed.sealed(beacons, _A_BATCH))[::-1]
            peak = _peak(world, feed, batches)
            context.say(f"  peak {peak:,.0f} events/s")
            pacer = Pacer(feed, batches, peak / 2)
            plain = _ratios(context, world, feed, pacer, [])
            filtered = _ratios(context, world, feed, pacer, FILTERS)
    finally:
        writer.stop()
    detail = {"peak_per_s": round(peak), "rate_per_s": round(peak / 2)}
    return [
        _figure("query_under_ingest", plain, detail),
        _figure("filtered_under_ingest", filtered, detail),
    ]


def _peak(world: MonthWorld, feed: Feed, batches: list[tuple[int, dict[Any, Any]]]) -> float:
    """Events a second of a backlog, until the rollups hold it."""
    some = [batches.pop() for _ in range(BACKLOG // _A_BATCH)]
    began = time.monotonic()
    feed.put(fields for _, fields in some)
    feed.wait_until_stored(600)
    world.wait_for_rollups()
    return BACKLOG / (time.monotonic() - began)


def _ratios(
    context: Context, world: MonthWorld, feed: Feed, pacer: Pacer, filters: Any
) -> list[tuple[float, float]]:
    """Medians in seconds of busy and idle spells."""
    _ask_for(world, filters, _SETTLE_S)
    pairs = []
    for _ in range(PAIRS):
        idle = median(_ask_for(world, filters, SPELL_S / 2))
        with pacer.running():
            time.sleep(_SETTLE_S)
            busy = median(_ask_for(world, filters, SPELL_S))
        feed.wait_until_stored(600)
        world.wait_for_rollups()
        context.say(f"  idle {idle * 1e3:.1f} ms, while beacons come {busy * 1e3:.1f} ms")
        pairs.append((busy, idle))
    return pairs


def _ask_for(world: MonthWorld, filters: Any, seconds: float) -> list[float]:
    """All panels again and again; how many seconds each batch took."""
    first, last = world.loaded.first, world.loaded.last
    days = (first + timedelta(days=1), last + timedelta(days=1))
    asked = [question(panel, BUSY, days, LIMIT, filters) for panel in PANELS.values()]
    took: list[float] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until or not took:
        took.append(world.ask("/api/v2/query/batch", {"queries": asked})[1])
    return took


def _figure(name: str, pairs: list[tuple[float, float]], detail: dict[str, Any]) -> Figure:
    ratios = [busy / idle for busy, idle in pairs]
    times = {
        "busy_ms": round(median(busy for busy, _ in pairs) * 1e3, 1),
        "idle_ms": round(median(idle for _, idle in pairs) * 1e3, 1),
        "pairs": len(pairs),
    }
    return Figure(name, median(ratios), min(ratios), max(ratios), "", {**detail, **times})
