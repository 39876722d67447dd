"""``frame_p99_ms``: from a beacon's sending to its frame at a dashboard, at half the peak rate.

The peak is the highest rate at which the lag stays flat for a minute, everything on this machine:
load, edge, drain, writer, jobs, API, gateway and the servers. Twice the run's own fsync p99 is
taken off, because each beacon waits for two: the primary's and the database's.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime
from statistics import median, quantiles
from typing import Any, NamedTuple

import httpx
import msgspec
import psycopg
from websockets.asyncio.client import connect
from websockets.typing import Origin

from api.database import open_transaction
from api.keys import put_key
from api.sites import put_site
from infrastructure.local.installation import chosen_ports, new_installation
from infrastructure.local.product import Product, make_product
from infrastructure.local.redis_server import RedisServer
from infrastructure.manifest import read_manifest
from realtime.frames import Delta, Frame
from shared.snapshot import SCOPES
from tests.benchmarks.context import Context
from tests.benchmarks.figure import Figure
from tests.benchmarks.fsync_probe import FsyncProbe
from tests.benchmarks.open_load import sent_at

# Several, so that each feed has room for all that a slow frame brings.
SITES = tuple(f"bench-{number}.example" for number in range(8))
FIRST_RATE = 1_000.0
FASTER, SLOWER = 1.4, 0.85
TRIAL_S, FLAT_S, RUN_S = 8.0, 60.0, 15.0
RUNS = 5
_SETTLE_S = 2.0


class Run(NamedTuple):
    """``frames_ms``: one number an event, in the order they came."""

    rate: float
    counts: dict[str, int]
    frames_ms: list[float]

    @property
    def unseen(self) -> float:
        """Share of the events that no feed held: a frame has room for a hundred."""
        return 1 - len(self.frames_ms) / max(1, self.counts["accepted"])

    @property
    def kept_up(self) -> bool:
        """All but a few were sent and taken, and the end was no slower than the beginning."""
        lost = self.counts["missed"] + self.counts["refused"]
        if lost > 0.005 * self.counts["sent"]:
            return False
        return self.last_ms < 2 * self.first_ms + 100

    @property
    def first_ms(self) -> float:
        """Median of the first quarter."""
        return median(self.frames_ms[: len(self.frames_ms) // 4])

    @property
    def last_ms(self) -> float:
        """Median of the last quarter."""
        return median(self.frames_ms[-len(self.frames_ms) // 4 :])

    @property
    def p99_ms(self) -> float:
        return quantiles(self.frames_ms, n=100)[98]


def run(context: Context) -> list[Figure]:
    """Find the peak, then measure at half of it. Every acknowledged event is found stored."""
    with benched_product(context) as product:
        bench = Bench(product, asyncio.run(_prepare(product)))
        peak = bench.find_peak(context)
        with FsyncProbe(context.folder) as probe:
            runs = [bench.measure(peak / 2, RUN_S) for _ in range(RUNS)]
        bench.verify()
    return [_figure(peak, runs, quantiles(probe.took_ms, n=100)[98])]


def _figure(peak: float, runs: list[Run], fsync_p99_ms: float) -> Figure:
    taken_off = [max(0.0, each.p99_ms - 2 * fsync_p99_ms) for each in runs]
    detail = {
        "peak_per_s": round(peak),
        "rate_per_s": round(peak / 2),
        "fsync_p99_ms": round(fsync_p99_ms, 2),
        "unseen": [round(each.unseen, 4) for each in runs],
        "raw_p99_ms": [round(each.p99_ms, 1) for each in runs],
        "raw_p50_ms": [round(median(each.frames_ms), 1) for each in runs],
        "events": sum(each.counts["accepted"] for each in runs),
    }
    middle = median(taken_off)
    return Figure("frame_p99_ms", middle, min(taken_off), max(taken_off), "ms", detail)


class Bench:
    """Runs against one product, and the count of all that it acknowledged."""

    def __init__(self, product: Product, key: str) -> None:
        self._product = product
        self._key = key
        self._accepted = 0

    def find_peak(self, context: Context) -> float:
        """The highest rate, in steps, that stays flat for a minute; events a second."""
        rate = FIRST_RATE
        while self._keeps_up(context, rate * FASTER, TRIAL_S):
            rate *= FASTER
        while not self._keeps_up(context, rate, FLAT_S):
            rate *= SLOWER
        return rate

    def _keeps_up(self, context: Context, rate: float, seconds: float) -> bool:
        found = self.measure(rate, seconds)
        context.say(
            f"  {rate:.0f}/s for {seconds:.0f} s: {'flat' if found.kept_up else 'too much'}"
            f" (median {found.first_ms:.0f} → {found.last_ms:.0f} ms, {found.counts})"
        )
        return found.kept_up

    def measure(self, rate: float, seconds: float) -> Run:
        """One run, waited for until nothing of it is under way."""
        found = asyncio.run(_measure_frames(self._product, self._key, rate, seconds))
        self._accepted += found.counts["accepted"]
        return found

    def verify(self) -> None:
        """What was acknowledged is stored, each once. Raises RuntimeError."""
        with psycopg.connect(self._product.postgres_url) as db:
            record = db.execute("SELECT count(DISTINCT event_id), count(*) FROM events").fetchone()
        if record != (self._accepted, self._accepted):
            raise RuntimeError(f"{self._accepted} acknowledged; distinct, stored: {record}")


@contextmanager
def benched_product(context: Context) -> Iterator[Product]:
    """The whole product on every core; its edge believes the load's X-Forwarded-For."""
    cores = range(os.cpu_count() or 1)
    os.sched_setaffinity(0, cores)
    for redis in (context.stack.primary, context.stack.spool):
        if isinstance(redis, RedisServer):
            os.sched_setaffinity(redis.pid, cores)
    installation = new_installation(chosen_ports(read_manifest()))
    changes = {"MILLRACE_GEO_REFRESH": "false", "MILLRACE_EDGE_TRUSTED_PROXIES": "127.0.0.1/32"}
    folder = context.folder / "frame-latency"
    folder.mkdir()
    with make_product(folder, installation, context.stack, changes=changes) as product:
        yield product


async def _prepare(product: Product) -> str:
    """Sites that may be as busy as they like; returns a key for their tickets."""
    async with open_transaction(product.postgres_url) as db:
        for site in SITES:
            await put_site(db, site, {"events_per_s": 50_000}, datetime.now(UTC))
        _, key = await put_key(db, (SCOPES.QUERY, SCOPES.ADMIN), None, "bench")
    # The writer publishes it, and the edge takes it over.
    await asyncio.sleep(3 * _SETTLE_S)
    return key


async def _measure_frames(product: Product, key: str, rate: float, seconds: float) -> Run:
    async with AsyncExitStack() as listening:
        clients = [
            await listening.enter_async_context(await _dashboard(product, key, site))
            for site in SITES
        ]
        began = time.monotonic()
        load = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.benchmarks.open_load"),
            *(product.edge_url.rpartition(":")[2], ",".join(SITES), str(rate), str(seconds)),
            stdout=asyncio.subprocess.PIPE,
        )
        frames_ms: list[float] = []
        reading = [asyncio.create_task(_read_frames(c, began, frames_ms)) for c in clients]
        output, _ = await load.communicate()
        counts: dict[str, int] = json.loads(output)
        await _wait_for_rest(frames_ms, counts["accepted"])
        for task in reading:
            task.cancel()
        return Run(rate, counts, frames_ms)


async def _read_frames(client: Any, began: float, frames_ms: list[float]) -> None:
    """Note how long each event took; what an earlier run left behind is passed over."""
    async for message in client:
        now = time.monotonic()
        frame = msgspec.json.decode(message, type=Frame)
        if isinstance(frame, Delta):
            sent = [sent_at(each.hostname) for each in reversed(frame.feed)]
            frames_ms += [(now - at) * 1_000 for at in sent if at >= began]


async def _wait_for_rest(frames_ms: list[float], accepted: int) -> None:
    """Until all were seen, or none came for a while: a full feed leaves some out."""
    seen = -1
    while len(frames_ms) < accepted and len(frames_ms) != seen:
        seen = len(frames_ms)
        await asyncio.sleep(_SETTLE_S)


async def _dashboard(product: Product, key: str, site: str) -> connect:
    """A connection to be opened, as the live page of a site opens it."""
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(
            f"{product.api_url}/api/live/ticket",
            json={"site": site},
            headers={"authorization": f"Bearer {key}"},
        )
    url = answer.raise_for_status().json()["url"]
    origin = Origin(product.api_url)
    return connect(url, origin=origin, compression=None, proxy=None, max_size=None)
