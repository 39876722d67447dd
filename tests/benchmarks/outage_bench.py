"""What the benchmarks of outages share: an edge with its drain on two Redis servers of which one is
broken, and the account of every beacon by its number."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from redis import Redis

from infrastructure.local.redis_server import RedisServer
from tests.benchmarks.context import Context
from tests.benchmarks.timed_load import Beacon
from tests.edge_processes import AS_SHIPPED, EdgeProcesses, edge_processes, wait_for

STREAM = "ingest:test"
_PAGE = 500
Number = tuple[int, int]
"""(boot, seq) of a batch."""


@dataclass(frozen=True)
class Outage:
    """An edge and a drain, and the servers that may be broken under them."""

    edge: EdgeProcesses
    drain: subprocess.Popen[bytes]
    primary: RedisServer
    spool: RedisServer
    workers: int

    def wait_for(self, place: str) -> None:
        """Until every worker stores at ``primary`` or ``spool``."""
        wait_for(
            lambda: (
                (state := self.edge.readiness())["stores_at"] == place
                and state["workers"] == self.workers
            )
        )

    def recover(self) -> None:
        """The primary is well again: until it gets everything, and the spool is empty."""
        self.primary.resume()
        self.primary.start()
        self.wait_for("primary")
        while self.spooled():
            time.sleep(0.05)

    def spooled(self) -> int:
        """Batches in the spool."""
        with self.spool.client() as spool:
            return int(spool.xlen(STREAM))

    def verify(self, beacons: list[Beacon]) -> None:
        """Every beacon was acknowledged, and its batch is there. Raises RuntimeError."""
        with self.primary.client() as primary, self.spool.client() as spool:
            there = {number for redis in (primary, spool) for number in batches(redis)}
        refused = [each.status for each in beacons if each.status != 202]
        lost = [e for e in beacons if e.receipt and (e.place.boot, e.place.seq) not in there]
        if refused or lost:
            raise RuntimeError(f"{len(lost)} lost, {len(refused)} refused ({set(refused)})")

    def forget(self) -> None:
        """Empty the primary's stream, as a writer would."""
        with self.primary.client() as primary:
            primary.delete(STREAM)


@contextmanager
def outage_bench(
    context: Context, name: str, *, workers: int = 1, primary_url: str = "", **settings: str
) -> Iterator[Outage]:
    """Both processes, on every core. ``primary_url``: another way to the primary."""
    cores = range(os.cpu_count() or 1)
    os.sched_setaffinity(0, cores)
    primary, spool = context.stack.primary, context.stack.spool
    assert isinstance(primary, RedisServer)
    assert isinstance(spool, RedisServer)
    for redis in (primary, spool):
        os.sched_setaffinity(redis.pid, cores)
        with redis.client() as client:
            client.delete(STREAM)
    settings |= {
        "edge_trusted_proxies": "127.0.0.1",
        "edge_workers": str(workers),
        "log_level": "error",
        **AS_SHIPPED,
    }
    state = context.folder / name
    url = primary_url or primary.url
    with edge_processes(url, spool.url, state, **settings) as edge:
        edge.start_edge()
        outage = Outage(edge, edge.start_drain(), primary, spool, workers)
        try:
            outage.wait_for("primary")
            yield outage
        finally:
            # The next benchmark, and the end of the edge, want both.
            primary.resume()
            primary.start()


def batches(redis: Redis) -> dict[Number, int]:
    """Events by number, of all that its stream holds; repetitions fall together."""
    seen: dict[Number, int] = {}
    start = "-"
    while entries := _entries(redis, start):
        for _, fields in entries:
            number = int(fields[b"boot"], 16), int(fields[b"seq"])
            seen[number] = int(fields[b"n"])
        start = "(" + entries[-1][0].decode()
    return seen


def _entries(redis: Redis, start: str) -> list[Any]:
    found: Any = redis.xrange(STREAM, start, count=_PAGE)
    return list(found)
