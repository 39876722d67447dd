"""``outage_p99_ratio``: p99 of live beacons on the spool ÷ on the primary, in alternating pairs.

The moment of failing over is left out: `failover_refused` and `failover_hung` have that.
"""

from statistics import median
from typing import NamedTuple

from tests.benchmarks.context import Context
from tests.benchmarks.figure import Figure
from tests.benchmarks.outage_bench import Outage, outage_bench
from tests.benchmarks.timed_load import Beacon, TimedLoad, p99_ms

RATE = 1_000.0
SECONDS = 5.0
PAIRS = 5


class Pair(NamedTuple):
    """p99 of each side in ms, and beacons of both."""

    primary: float
    spool: float
    beacons: int

    @property
    def ratio(self) -> float:
        return self.spool / self.primary


def run(context: Context) -> list[Figure]:
    """Every beacon is acknowledged, and found in a stream afterwards."""
    with outage_bench(context, "outage-p99") as outage:
        _measure(outage)
        pairs = []
        for number in range(PAIRS):
            pairs.append(_pair(outage, hung=number % 2 == 1))
            context.say(f"  primary {pairs[-1].primary:.2f} ms  spool {pairs[-1].spool:.2f} ms")
    ratios = [pair.ratio for pair in pairs]
    detail = {
        "beacons_per_s": RATE,
        "primary_p99_ms": [round(pair.primary, 2) for pair in pairs],
        "spool_p99_ms": [round(pair.spool, 2) for pair in pairs],
        "beacons": sum(pair.beacons for pair in pairs),
    }
    return [Figure("outage_p99_ratio", median(ratios), min(ratios), max(ratios), "", detail)]


def _pair(outage: Outage, *, hung: bool) -> Pair:
    outage.forget()
    well = _measure(outage)
    if hung:
        outage.primary.pause()
    else:
        outage.primary.kill()
    outage.wait_for("spool")
    broken = _measure(outage)
    outage.recover()
    outage.verify(well + broken)
    return Pair(p99_ms(well), p99_ms(broken), len(well) + len(broken))


def _measure(outage: Outage) -> list[Beacon]:
    with TimedLoad(outage.edge.port, 1, RATE, SECONDS) as load:
        return load.finish()
