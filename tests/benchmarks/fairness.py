"""``fairness_p99_ratio``: p99 of a site's beacons beside one that sends a hundred times its rate ÷
p99 without that, in alternating pairs. The noisy site is held to its own rate.

Its sender gives way to everything else on the machine: what it costs to send is not the product's.
"""

import json
import os
import subprocess
import sys
from statistics import median
from typing import NamedTuple

from redis import Redis

from shared.snapshot import REDIS_KEY, SiteRules
from tests.benchmarks.context import Context
from tests.benchmarks.figure import Figure
from tests.benchmarks.http_load import cpu_s
from tests.benchmarks.timed_load import Beacon, TimedLoad, p99_ms
from tests.edge_processes import AS_SHIPPED, ROOT, EdgeProcesses, edge_processes, wait_for
from tests.edge_under_test import SITE, signed, snapshot

RATE = 500.0
NOISY = "noisy.example"
ALLOWED_PER_S = 20
TIMES = 100
SECONDS = 5.0
PAIRS = 5
_LEAST_SHARE_SENT = 0.9
_BURST_S = 2.0


class Pair(NamedTuple):
    """p99 in ms without and with the noisy site; what that was told; CPU a refusal took."""

    alone: float
    beside: float
    accepted: int
    refused: int
    refusal_us: float

    @property
    def ratio(self) -> float:
        return self.beside / self.alone


def run(context: Context) -> list[Figure]:
    """Every beacon of the quiet site is acknowledged. Raises RuntimeError."""
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    stack = context.stack
    _publish(stack.primary_url)
    settings = {"edge_trusted_proxies": "127.0.0.1", "log_level": "error", **AS_SHIPPED}
    state = context.folder / "fairness"
    with edge_processes(stack.primary_url, stack.spool_url, state, **settings) as edge:
        edge.start_edge()
        wait_for(lambda: "millrace_edge_snapshot_version 1.0" in edge.metrics())
        wait_for(lambda: edge.readiness()["stores_at"] == "primary")
        _measure(edge)
        pairs = []
        for number in range(PAIRS):
            pairs.append(_pair(edge, noisy_first=number % 2 == 1))
            context.say(f"  alone {pairs[-1].alone:.2f} ms  beside {pairs[-1].beside:.2f} ms")
    ratios = [pair.ratio for pair in pairs]
    detail = {
        "beacons_per_s": RATE,
        "noisy_per_s": ALLOWED_PER_S * TIMES,
        "noisy_allowed_per_s": ALLOWED_PER_S,
        "alone_p99_ms": [round(pair.alone, 2) for pair in pairs],
        "beside_p99_ms": [round(pair.beside, 2) for pair in pairs],
        "noisy_accepted": [pair.accepted for pair in pairs],
        "noisy_refused": [pair.refused for pair in pairs],
        "refusal_cpu_us": [round(pair.refusal_us, 1) for pair in pairs],
    }
    return [Figure("fairness_p99_ratio", median(ratios), min(ratios), max(ratios), "", detail)]


def _publish(primary_url: str) -> None:
    """Rules of two sites, of which one may send little."""
    made = snapshot(
        sites=(SiteRules(SITE, events_per_s=50_000), SiteRules(NOISY, events_per_s=ALLOWED_PER_S)),
        per_address_events_per_s=50_000,
    )
    with Redis.from_url(primary_url) as primary:
        primary.delete("ingest:test")
        primary.set(REDIS_KEY, signed(made))


def _pair(edge: EdgeProcesses, *, noisy_first: bool) -> Pair:
    (pid,) = edge.worker_pids()
    if noisy_first:
        beside, counts, beside_cpu_s = _beside_noise(edge, pid)
        alone, alone_cpu_s = _alone(edge, pid)
    else:
        alone, alone_cpu_s = _alone(edge, pid)
        beside, counts, beside_cpu_s = _beside_noise(edge, pid)
    _verify(alone + beside, counts)
    refusal_us = (beside_cpu_s - alone_cpu_s) / counts["refused"] * 1e6
    return Pair(p99_ms(alone), p99_ms(beside), counts["accepted"], counts["refused"], refusal_us)


def _alone(edge: EdgeProcesses, pid: int) -> tuple[list[Beacon], float]:
    began = cpu_s(pid)
    return _measure(edge), cpu_s(pid) - began


def _beside_noise(edge: EdgeProcesses, pid: int) -> tuple[list[Beacon], dict[str, int], float]:
    rate = str(ALLOWED_PER_S * TIMES)
    # It goes on for a little longer, so that no quiet beacon is sent without it.
    arguments = [str(edge.port), NOISY, rate, str(SECONDS + 1)]
    began = cpu_s(pid)
    with subprocess.Popen(
        ["nice", "-n", "19", sys.executable, "-m", "tests.benchmarks.open_load", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    ) as noise:
        beacons = _measure(edge)
        output, _ = noise.communicate()
    return beacons, json.loads(output), cpu_s(pid) - began


def _measure(edge: EdgeProcesses) -> list[Beacon]:
    with TimedLoad(edge.port, 1, RATE, SECONDS) as load:
        return load.finish()


def _verify(quiet: list[Beacon], noisy: dict[str, int]) -> None:
    """The quiet lost nothing; the noisy sent what it should, and was held to its rate."""
    refused = [each.status for each in quiet if each.status != 202]
    meant = ALLOWED_PER_S * TIMES * (SECONDS + 1)
    most = ALLOWED_PER_S * (SECONDS + 1 + _BURST_S) + 1
    if refused or noisy["sent"] < _LEAST_SHARE_SENT * meant or noisy["accepted"] > most:
        raise RuntimeError(f"{len(refused)} quiet beacons refused; of {meant:.0f} noisy: {noisy}")
