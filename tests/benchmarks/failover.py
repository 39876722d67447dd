"""What the two benchmarks of failing over share: breaking the primary under steady beacons.

Each worker's first batch in the spool is the one that failed over. Nobody waits longer than those
in it, and a client that sends later finds the breaker open.
"""

import time
from collections.abc import Callable
from statistics import median
from typing import NamedTuple

from tests.benchmarks.outage_bench import Number, Outage, batches
from tests.benchmarks.timed_load import Beacon, TimedLoad, p99_ms

WORKERS = 2
RATE = 400.0
BEFORE_S, AFTER_S = 1.0, 2.0
ROUNDS = 8


class Failover(NamedTuple):
    """One worker's, in ms. ``first``: the slowest beacon of the batch that failed over; ``usual``:
    the median before; ``following_p99``: of those sent once that batch was answered."""

    first: float
    usual: float
    following_p99: float


def fail_over(
    outage: Outage, break_primary: Callable[[], None], mend: Callable[[], None]
) -> list[Failover]:
    """One outage from its beginning to its end; what every worker made of it."""
    outage.forget()
    with TimedLoad(outage.edge.port, WORKERS, RATE, BEFORE_S + AFTER_S) as load:
        time.sleep(BEFORE_S)
        broken = time.monotonic_ns()
        break_primary()
        beacons = load.finish()
    with outage.spool.client() as spool:
        spooled = set(batches(spool))
    mend()
    outage.recover()
    outage.verify(beacons)
    found = [_failover(each, broken, spooled) for each in by_worker(beacons)]
    if len(found) != WORKERS:
        raise RuntimeError(f"{len(found)} of {WORKERS} workers were asked")
    return found


def by_worker(beacons: list[Beacon]) -> list[list[Beacon]]:
    """The beacons that each worker answered, in the order in which they were due."""
    workers: dict[int, list[Beacon]] = {}
    for each in beacons:
        workers.setdefault(each.place.boot, []).append(each)
    return list(workers.values())


def _failover(beacons: list[Beacon], broken: int, spooled: set[Number]) -> Failover:
    usual = median(each.took_ms for each in beacons if each.answered < broken)
    turned = min(each.place.seq for each in beacons if _number(each) in spooled)
    first = [each for each in beacons if each.place.seq == turned]
    answered = max(each.answered for each in first)
    following = [each for each in beacons if each.due > answered]
    return Failover(max(each.took_ms for each in first), usual, p99_ms(following))


def _number(each: Beacon) -> Number:
    return each.place.boot, each.place.seq


def slowest(rounds: list[list[Failover]], value: Callable[[Failover], float]) -> list[float]:
    """The worst worker of each round."""
    return [max(map(value, workers)) for workers in rounds]


def described(rounds: list[list[Failover]]) -> dict[str, object]:
    """What a reader needs to judge either figure."""
    following = slowest(rounds, lambda worker: worker.following_p99)
    return {
        "workers": WORKERS,
        "rounds": len(rounds),
        "beacons_per_s": RATE,
        "usual_ms": round(median(slowest(rounds, lambda worker: worker.usual)), 2),
        "following_p99_ms": round(median(following), 2),
        "worst_following_p99_ms": round(max(following), 2),
        "first_ms": [round(each, 1) for each in slowest(rounds, lambda worker: worker.first)],
    }
