"""``drain_vs_live``: events a second that the drain moves ÷ live ones a second, which come at a
tenth of the edge's peak, and by how much the drain raises their p99.

In pairs, on the same backlog: with the drain stopped, and with it at work. The peak is what one
worker acknowledges a second while the backlog is written. Singles throughout.
"""

import signal
import time
from statistics import median
from typing import NamedTuple

from tests.benchmarks.context import Context
from tests.benchmarks.edge_bench import singles
from tests.benchmarks.figure import Figure
from tests.benchmarks.http_load import load
from tests.benchmarks.outage_bench import STREAM, Number, Outage, batches, outage_bench
from tests.benchmarks.timed_load import TimedLoad, p99_ms
from tests.edge_processes import wait_for

PAIRS = 5
SECONDS = 4.0
FILL_S = 8.0
LEAST_EVENTS = 150_000
"""In the spool before a pair, so that the drain has work for as long as it is measured."""
_COMES_BACK_S, _BEGINS_WITHIN_S, _LOOK_S = 0.2, 2.0, 0.05
MOST_RISE = 1.2
"""Promise 5: a fifth."""


class Pair(NamedTuple):
    """p99 of the live beacons in ms, alone and beside the drain, and events a second."""

    alone: float
    beside: float
    live_per_s: float
    drained_per_s: float

    @property
    def ratio(self) -> float:
        return self.drained_per_s / self.live_per_s

    @property
    def rise(self) -> float:
        return self.beside / self.alone


def run(context: Context) -> list[Figure]:
    """Every beacon is acknowledged, and every batch that was in the spool is at the primary."""
    requests = singles()
    pairs: list[Pair] = []
    peaks: list[float] = []
    with outage_bench(context, "drain-vs-live") as outage:
        for _ in range(PAIRS):
            peaks.append(_fill(outage, requests))
            pairs.append(_pair(outage, peaks[0] / 10))
            context.say(f"  {_told(pairs[-1])}")
    return [_ratio(pairs, peaks), _rise(pairs)]


def _fill(outage: Outage, requests: list[bytes]) -> float:
    """An outage under as many beacons as the worker can take; how many a second it took."""
    outage.forget()
    outage.primary.kill()
    outage.wait_for("spool")
    (pid,) = outage.edge.worker_pids()
    runs = [load(outage.edge.port, requests, FILL_S, pid)]
    while sum(run.requests for run in runs) < LEAST_EVENTS:
        runs.append(load(outage.edge.port, requests, FILL_S, pid))
    acknowledged, spooled = sum(run.requests for run in runs), sum(_waiting(outage).values())
    if spooled != acknowledged:
        raise RuntimeError(f"{acknowledged} acknowledged, {spooled} in the spool")
    return max(run.per_s for run in runs)


def _pair(outage: Outage, rate: float) -> Pair:
    before = _waiting(outage)
    outage.primary.start()
    wait_for(lambda: outage.edge.drain_readiness()["primary_healthy"])
    # The word of the drain closes the breaker; then it shall wait.
    time.sleep(_COMES_BACK_S)
    outage.drain.send_signal(signal.SIGSTOP)
    outage.wait_for("primary")
    with TimedLoad(outage.edge.port, 1, rate, SECONDS) as live:
        alone = live.finish()
    with TimedLoad(outage.edge.port, 1, rate, SECONDS + _BEGINS_WITHIN_S) as live:
        work = _watch_drain(outage)
        beside = live.finish()
    outage.recover()
    outage.verify(alone + beside)
    _verify_moved(outage, before)
    during = [each for each in beside if work.began <= each.due <= work.ended]
    return Pair(p99_ms(alone), p99_ms(during), rate, work.events / work.seconds)


class Work(NamedTuple):
    """What the drain moved, and when, by CLOCK_MONOTONIC in ns."""

    events: int
    began: int
    ended: int

    @property
    def seconds(self) -> float:
        return (self.ended - self.began) / 1e9


def _watch_drain(outage: Outage) -> Work:
    """Let it go on, from its first batch for SECONDS or until nothing is left. Meanwhile next to
    nothing is asked: that would cost the live beacons something too."""
    before = _waiting(outage)
    with outage.spool.client() as spool:
        outage.drain.send_signal(signal.SIGCONT)
        wait_for(lambda: spool.xlen(STREAM) < len(before))
        began = time.monotonic_ns()
        while time.monotonic_ns() < began + SECONDS * 1e9 and spool.xlen(STREAM):
            time.sleep(_LOOK_S)
    ended = time.monotonic_ns()
    outage.drain.send_signal(signal.SIGSTOP)
    after = _waiting(outage)
    outage.drain.send_signal(signal.SIGCONT)
    moved = sum(events for number, events in before.items() if number not in after)
    return Work(moved, began, ended)


def _waiting(outage: Outage) -> dict[Number, int]:
    with outage.spool.client() as spool:
        return batches(spool)


def _verify_moved(outage: Outage, waited: dict[Number, int]) -> None:
    with outage.primary.client() as primary:
        there = batches(primary)
    missing = sum(events for number, events in waited.items() if number not in there)
    if missing:
        raise RuntimeError(f"{missing} events left the spool and are not at the primary")


def _ratio(pairs: list[Pair], peaks: list[float]) -> Figure:
    ratios = [pair.ratio for pair in pairs]
    detail = {
        "peak_per_s": [round(peak) for peak in peaks],
        "live_per_s": [round(pair.live_per_s) for pair in pairs],
        "drained_per_s": [round(pair.drained_per_s) for pair in pairs],
    }
    return Figure("drain_vs_live", median(ratios), min(ratios), max(ratios), "", detail)


def _rise(pairs: list[Pair]) -> Figure:
    rises = [pair.rise for pair in pairs]
    detail = {
        "most": MOST_RISE,
        "alone_p99_ms": [round(pair.alone, 2) for pair in pairs],
        "beside_p99_ms": [round(pair.beside, 2) for pair in pairs],
    }
    return Figure("drain_p99_rise", median(rises), min(rises), max(rises), "", detail)


def _told(pair: Pair) -> str:
    return (
        f"drained {pair.drained_per_s:,.0f}/s beside {pair.live_per_s:,.0f}/s live,"
        f" p99 {pair.alone:.2f} ms alone, {pair.beside:.2f} ms beside"
    )
