"""``resident_mb``: memory of everything on one host at 100 events a second; ``resident_idle_mb``:
the same with nobody sending.

All services, PostgreSQL and both Redis, with the demo's two months stored. A page that several
processes share counts once (the sum of their proportional set sizes).
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from statistics import median

from infrastructure.demo.history import EVENTS_A_DAY
from infrastructure.demo.household import SITE
from tests.benchmarks.browser_bench import filled_product
from tests.benchmarks.context import Context
from tests.benchmarks.figure import Figure

RATE, LOAD_S, IDLE_S = 100, 60, 20
_PROC = Path("/proc")


def run(context: Context) -> list[Figure]:
    """Sampled each second; under load only the second half."""
    with filled_product(context, EVENTS_A_DAY) as world:
        idle = [_sample() for _ in range(IDLE_S)]
        command = [sys.executable, "-m", "tests.benchmarks.open_load"]
        port = world.product.edge_url.rpartition(":")[2]
        load = subprocess.Popen(
            [*command, port, SITE, str(RATE), str(LOAD_S)], stdout=subprocess.DEVNULL
        )
        busy = []
        while load.poll() is None:
            busy.append(_sample(besides=load.pid))
    return [
        _figure("resident_mb", busy[len(busy) // 2 :], events_per_s=RATE),
        _figure("resident_idle_mb", idle, events_per_s=0),
    ]


def _figure(name: str, samples: list[dict[str, float]], **detail: object) -> Figure:
    sums = [sum(each.values()) for each in samples]
    parts = {part: round(mb) for part, mb in sorted(samples[-1].items())}
    return Figure(name, median(sums), min(sums), max(sums), "MB", {**detail, "parts": parts})


def _sample(besides: int | None = None) -> dict[str, float]:
    """MB of each program among this process's descendants."""
    time.sleep(1)
    parts: dict[str, float] = {}
    for pid in _descendants(os.getpid(), besides):
        if (kib := _proportional_kib(pid)) is not None:
            name = _program(pid)
            parts[name] = parts.get(name, 0.0) + kib * 1_024 / 1_000_000
    return parts


def _descendants(pid: int, besides: int | None) -> Iterator[int]:
    """Every process below this one."""
    for child in _children().get(pid, ()):
        if child != besides:
            yield child
            yield from _descendants(child, besides)


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for stat in _PROC.glob("[0-9]*/stat"):
        with suppress(OSError):
            # What follows the program's name, which may hold anything.
            _, parent, *_ = stat.read_text().rpartition(")")[2].split()
            found.setdefault(int(parent), []).append(int(stat.parent.name))
    return found


def _proportional_kib(pid: int) -> int | None:
    """None where it has ended."""
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def _program(pid: int) -> str:
    """The service's module, or the server's program."""
    words = (_PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
    if "-m" in words:
        return words[words.index("-m") + 1]
    return Path(words[0].split(" ")[0].rstrip(":")).name
