"""`edge_array_cost`: the CPU time of one further event in an array of ten, as a share of that of a
beacon by itself."""

from statistics import median

from tests.benchmarks.context import Context
from tests.benchmarks.edge_bench import PAIRS, arrays, load_edge, pinned_edge, singles
from tests.benchmarks.figure import Figure
from tests.benchmarks.http_load import Run

EVENTS = 10


def run(context: Context) -> list[Figure]:
    """The ratio."""
    alone, together = singles(), arrays(EVENTS)
    pairs: list[tuple[Run, Run]] = []
    with pinned_edge(context) as (edge, pid):
        load_edge(context, edge, pid, alone, 1)
        for _ in range(PAIRS):
            single = load_edge(context, edge, pid, alone, 1)
            array = load_edge(context, edge, pid, together, EVENTS)
            context.say(f"  single {single.cpu_us:.1f} us  array of ten {array.cpu_us:.1f} us")
            pairs.append((single, array))
    ratios = [(array.cpu_us - one.cpu_us) / (EVENTS - 1) / one.cpu_us for one, array in pairs]
    detail = {
        "single_us": median(one.cpu_us for one, _ in pairs),
        "array_us": median(array.cpu_us for _, array in pairs),
        "array_events_per_s": median(array.per_s * EVENTS for _, array in pairs),
        "busy": min(run.busy for pair in pairs for run in pair),
    }
    return [Figure("edge_array_cost", median(ratios), min(ratios), max(ratios), "", detail)]
