"""`edge_vs_uvicorn`: beacons acknowledged after fsync a second, one worker on one core, as a share
of what bare uvicorn answers with the same requests on the same core."""

from statistics import median

from tests.benchmarks.context import Context
from tests.benchmarks.edge_bench import PAIRS, SECONDS, load_edge, pinned_bare, pinned_edge, singles
from tests.benchmarks.figure import Figure
from tests.benchmarks.http_load import Run, load

BUSY = 0.95
"""Share of its core that either side must use, or else something else was measured."""
MOST_PAIRS = 12


def run(context: Context) -> list[Figure]:
    """The ratio, and the CPU time of one event beside it."""
    requests = singles()
    pairs: list[tuple[Run, Run]] = []
    with pinned_edge(context) as (edge, edge_pid), pinned_bare() as (bare_port, bare_pid):
        load_edge(context, edge, edge_pid, requests, 1)
        for _ in range(MOST_PAIRS):
            bare = load(bare_port, requests, SECONDS, bare_pid)
            ours = load_edge(context, edge, edge_pid, requests, 1)
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
    pairs = saturated if len(saturated) == PAIRS else pairs
    return [_ratio(pairs), _cpu(pairs)]


def _is_saturated(pair: tuple[Run, Run]) -> bool:
    return min(run.busy for run in pair) >= BUSY


def _ratio(pairs: list[tuple[Run, Run]]) -> Figure:
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
    return Figure("edge_vs_uvicorn", median(ratios), min(ratios), max(ratios), "", detail)


def _cpu(pairs: list[tuple[Run, Run]]) -> Figure:
    costs = [ours.cpu_us for ours, _ in pairs]
    bare = median(bare.cpu_us for _, bare in pairs)
    return Figure(
        "edge_cpu_us", median(costs), min(costs), max(costs), "us/event", {"uvicorn_us": bare}
    )
