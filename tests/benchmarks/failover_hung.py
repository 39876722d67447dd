"""``failover_hung_ms``: the primary is stopped, or its network becomes a black hole, by turns. How
long the beacons waited that failed over, at the slowest of the workers."""

from statistics import median

from infrastructure.local.redis_server import RedisServer
from tests.benchmarks.context import Context
from tests.benchmarks.failover import ROUNDS, WORKERS, Failover, described, fail_over, slowest
from tests.benchmarks.figure import Figure
from tests.benchmarks.outage_bench import Outage, outage_bench
from tests.chaos.background import Background
from tests.chaos.proxy import Proxy, Weather


def run(context: Context) -> list[Figure]:
    """Every beacon is acknowledged, and found in a stream afterwards."""
    primary = context.stack.primary
    assert isinstance(primary, RedisServer)
    with Background() as background:
        proxy = Proxy(primary.port)
        background.run(proxy.start())
        url = primary.url.replace(f":{primary.port}/", f":{proxy.port}/")
        with outage_bench(context, "failover-hung", workers=WORKERS, primary_url=url) as outage:
            rounds = []
            for _ in range(ROUNDS // 2):
                rounds += [_stopped(outage), _black_hole(outage, background, proxy)]
        background.run(proxy.stop())
    first = slowest(rounds, lambda worker: worker.first)
    found = median(first), min(first), max(first)
    return [Figure("failover_hung_ms", *found, "ms", described(rounds))]


def _stopped(outage: Outage) -> list[Failover]:
    return fail_over(outage, outage.primary.pause, outage.primary.resume)


def _black_hole(outage: Outage, background: Background, proxy: Proxy) -> list[Failover]:
    return fail_over(
        outage,
        lambda: background.run(proxy.set_weather(Weather.HOLE)),
        lambda: background.run(proxy.set_weather(Weather.CLEAR)),
    )
