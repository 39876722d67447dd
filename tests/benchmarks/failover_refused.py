"""``failover_refused_ms``: the primary is killed. By how much longer than usual the beacons waited
that failed over, at the slowest of the workers."""

from statistics import median

from tests.benchmarks.context import Context
from tests.benchmarks.failover import ROUNDS, WORKERS, described, fail_over, slowest
from tests.benchmarks.figure import Figure
from tests.benchmarks.outage_bench import outage_bench


def run(context: Context) -> list[Figure]:
    """Every beacon is acknowledged, and found in a stream afterwards."""
    with outage_bench(context, "failover-refused", workers=WORKERS) as outage:
        rounds = [
            fail_over(outage, outage.primary.kill, outage.primary.start) for _ in range(ROUNDS)
        ]
    longer = slowest(rounds, lambda worker: max(0.0, worker.first - worker.usual))
    found = median(longer), min(longer), max(longer)
    return [Figure("failover_refused_ms", *found, "ms", described(rounds))]
