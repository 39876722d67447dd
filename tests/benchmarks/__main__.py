"""``python -m tests.benchmarks [NAME …] [--json FILE]``: prints ``name: value`` for each figure."""

import argparse
import importlib
import json
import sys
from pathlib import Path

from tests.benchmarks.context import Context, benchmark_context
from tests.benchmarks.figure import Figure

MODULES = {
    "edge_vs_uvicorn": "edge_vs_uvicorn",
    "edge_array_cost": "edge_array_cost",
    "writer_vs_copy": "writer_vs_copy",
    "frame_p99_ms": "frame_latency",
    "failover_refused_ms": "failover_refused",
    "failover_hung_ms": "failover_hung",
    "outage_p99_ratio": "outage",
    "drain_vs_live": "drain_vs_live",
    "ambiguous_duplicates": "ambiguous",
    "backlog_restart_s": "backlog_restart",
    "fairness_p99_ratio": "fairness",
    "tracker_core_bytes": "tracker_bytes",
    "dashboard_script_bytes": "dashboard_bytes",
    "overview_paint_ms": "overview_paint",
    "live_long_tasks": "live_long_tasks",
    "resident_mb": "resident",
}
"""Name of a figure → the module whose ``run(context)`` finds it."""


def main() -> None:
    """Run those named, or all."""
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[*MODULES, []])
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    figures: list[Figure] = []
    with benchmark_context() as context:
        for name in arguments.names or MODULES:
            for figure in _run(name, context):
                print(f"{figure.name}: {figure.median:.4g}{figure.unit and ' ' + figure.unit}")
                sys.stdout.flush()
                figures.append(figure)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(_by_name(figures), indent=2) + "\n")


def _run(name: str, context: Context) -> list[Figure]:
    context.say(f"{name} …")
    found: list[Figure] = importlib.import_module(f"tests.benchmarks.{MODULES[name]}").run(context)
    return found


def _by_name(figures: list[Figure]) -> dict[str, dict[str, object]]:
    return {figure.name: {**figure._asdict()} for figure in figures}


if __name__ == "__main__":
    main()
