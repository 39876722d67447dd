"""``python -m tests.benchmarks [NAME …] [--json FILE]``: prints ``name: value`` for each figure.

A figure whose means cannot be had on this machine (Problem) is named, and the others go on.
"""

import argparse
import importlib
import json
import sys
from pathlib import Path

from infrastructure.problem import Problem
from tests.benchmarks.context import EVENTS, SITES, Context, benchmark_context
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
    "rollup_cost": "rollup_cost",
    "rollup_lag_s": "rollup_lag",
    "panels_vs_duckdb": "panels_vs_duckdb",
    "panels_vs_chdb": "panels_vs_chdb",
    "filtered_vs_duckdb": "filtered_vs_duckdb",
    "filtered_vs_chdb": "filtered_vs_chdb",
    "archive_bytes_vs_duckdb": "archive_bytes",
    "query_under_ingest": "query_under_ingest",
    "sites_and_days": "sites_and_days",
}
"""Name of a figure → the module whose ``run(context)`` finds it."""


def main() -> None:
    """Run those named, or all."""
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[*MODULES, []])
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--events", type=int, default=EVENTS, help="of the month; 10 million")
    parser.add_argument("--sites", type=int, default=SITES, help="beside each other for a year")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="keeps the month between runs")
    arguments = parser.parse_args()
    figures: list[Figure] = []
    missing: list[str] = []
    with benchmark_context(arguments.events, arguments.data, arguments.sites) as context:
        for name in arguments.names or MODULES:
            try:
                figures += _run(name, context)
            except Problem as problem:
                context.say(f"{name}: no figure. {problem}")
                missing.append(name)
            # Written after each, for a run may take an hour.
            if arguments.json is not None:
                arguments.json.write_text(json.dumps(_by_name(figures), indent=2) + "\n")
    sys.exit(f"No figure: {', '.join(missing)}." if missing else 0)


def _run(name: str, context: Context) -> list[Figure]:
    context.say(f"{name} …")
    module = importlib.import_module(f"tests.benchmarks.{MODULES[name]}")
    found: list[Figure] = module.run(context)
    for figure in found:
        print(f"{figure.name}: {figure.median:.4g}{figure.unit and ' ' + figure.unit}", flush=True)
    return found


def _by_name(figures: list[Figure]) -> dict[str, dict[str, object]]:
    return {figure.name: {**figure._asdict()} for figure in figures}


if __name__ == "__main__":
    main()
