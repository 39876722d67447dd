"""`edge_vs_uvicorn`: beacons acknowledged after fsync a second, one worker on one core, as a share
of what bare uvicorn answers with the same requests on the same core. Once by an edge that has no
snapshot yet, and once by one that knows its sites, as it does in production."""

from collections.abc import Callable
from statistics import median

from redis import Redis

from shared.snapshot import REDIS_KEY, SiteRules
from tests.benchmarks.context import Context
from tests.benchmarks.edge_bench import PAIRS, SECONDS, load_edge, pinned_bare, pinned_edge, singles
from tests.benchmarks.figure import Figure
from tests.benchmarks.http_load import Run, load
from tests.edge_processes import EdgeProcesses, wait_for
from tests.edge_under_test import BEACON, SITE, signed, snapshot

BUSY = 0.95
"""Share of its core that either side must use, or else something else was measured."""
MOST_PAIRS = 12
SITES = 100


def run(context: Context) -> list[Figure]:
    """The ratios, and the CPU time of one event beside them."""
    requests = singles()
    with pinned_edge(context) as (edge, edge_pid), pinned_bare() as (bare_port, bare_pid):

        def pair() -> tuple[Run, Run]:
            bare = load(bare_port, requests, SECONDS, bare_pid)
            return load_edge(context, edge, edge_pid, requests, 1), bare

        load_edge(context, edge, edge_pid, requests, 1)
        unknown = _pairs(context, pair)
        _publish(context, edge)
        known = _pairs(context, pair)
    return [
        _ratio("edge_vs_uvicorn", unknown),
        _cpu("edge_cpu_us", unknown),
        _ratio("edge_with_sites_vs_uvicorn", known),
        _cpu("edge_with_sites_cpu_us", known),
    ]


def _pairs(context: Context, pair: Callable[[], tuple[Run, Run]]) -> list[tuple[Run, Run]]:
    pairs: list[tuple[Run, Run]] = []
    for _ in range(MOST_PAIRS):
        ours, bare = pair()
        context.say(
            f"  edge {ours.per_s:,.0f}/s ({ours.busy:.0%} busy)  "
            f"uvicorn {bare.per_s:,.0f}/s ({bare.busy:.0%} busy)"
        )
        pairs.append((ours, bare))
        if sum(map(_is_saturated, pairs)) == PAIRS:
            break
    saturated = [pair for pair in pairs if _is_saturated(pair)]
    if len(saturated) < PAIRS:
        context.say("  the machine did other work meanwhile: the figure is not to be trusted")
    return saturated if len(saturated) == PAIRS else pairs


def _publish(context: Context, edge: EdgeProcesses) -> None:
    """A snapshot of many sites, that of the beacons among them."""
    names = (SITE, *(f"site-{number}.example" for number in range(SITES)))
    sites = tuple(SiteRules(name, events_per_s=1_000_000) for name in names)
    with Redis.from_url(context.stack.primary_url) as primary:
        primary.set(REDIS_KEY, signed(snapshot(sites=sites)))
    wait_for(lambda: edge.post({**BEACON, "site": "stranger.example"}).status == 400)


def _is_saturated(pair: tuple[Run, Run]) -> bool:
    return min(run.busy for run in pair) >= BUSY


def _ratio(name: str, pairs: list[tuple[Run, Run]]) -> Figure:
    ratios = [ours.per_s / bare.per_s for ours, bare in pairs]
    detail = {
        "edge_per_s": median(ours.per_s for ours, _ in pairs),
        "uvicorn_per_s": median(bare.per_s for _, bare in pairs),
        "saturated": all(map(_is_saturated, pairs)),
        "pairs": len(pairs),
        "edge_busy": min(ours.busy for ours, _ in pairs),
        "uvicorn_busy": min(bare.busy for _, bare in pairs),
        "acknowledged_and_stored": sum(ours.requests for ours, _ in pairs),
        "cpu_ratio": median(bare.cpu_us / ours.cpu_us for ours, bare in pairs),
    }
    return Figure(name, median(ratios), min(ratios), max(ratios), "", detail)


def _cpu(name: str, pairs: list[tuple[Run, Run]]) -> Figure:
    costs = [ours.cpu_us for ours, _ in pairs]
    bare = median(bare.cpu_us for _, bare in pairs)
    return Figure(name, median(costs), min(costs), max(costs), "us/event", {"uvicorn_us": bare})
