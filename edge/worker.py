"""One worker: every object it is made of, and the tasks it runs beside answering."""

import asyncio
import gc
import logging
import os
import secrets
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

from redis.exceptions import RedisError
from starlette.applications import Starlette

from edge.admission.guard import Guard
from edge.admission.peers import Peers
from edge.admission.snapshots import Snapshots
from edge.batches.batcher import Batch, Batcher
from edge.batches.boot import Boot
from edge.batches.boot_file import BootFile
from edge.batches.seal import Sealer
from edge.batches.tally import Tally
from edge.clock.capture import CaptureClock
from edge.clock.kept import KeptClock
from edge.clock.watch import ClockWatch
from edge.ending import end_tasks
from edge.failover.breaker import Breaker, Trouble
from edge.failover.proof import Proof
from edge.failover.pulse import Pulse
from edge.failover.router import Router, Stored
from edge.heartbeat import Heartbeat
from edge.http.app import EdgeApp
from edge.http.body import BodyMemory
from edge.http.collect import Collector
from edge.http.intake import Intake
from edge.servers.fsync_proof import FsyncProof
from edge.servers.lane import Lane
from edge.servers.link import read_address
from edge.servers.promise import PromiseWatch
from edge.spool.share_book import ShareBook
from edge.spool.shares import Shares
from shared.keys import read_verify_key
from shared.logs import set_up_logs
from shared.metrics import EDGE_BATCHES, EDGE_FAILOVERS, EDGE_FLUSH_SECONDS
from shared.redis_connection import connect
from shared.settings import EdgeSettings, load

_log = logging.getLogger("edge")
_CHORE_EVERY_S = 1.0
_GC_THRESHOLDS = 50_000, 20, 100
_CHORE_TIMEOUT_S = 1.0


class Worker:
    """Built once a process, before it serves. Raises ValueError for keys that are none."""

    def __init__(self, settings: EdgeSettings) -> None:
        primary_at, spool_at = read_address(settings.primary_url), read_address(settings.spool_url)
        self._parent = os.getppid()
        self._journal = settings.edge_journal == "on"
        timeout_s, ping_s = settings.spool_timeout_s, settings.edge_ping_timeout_s
        strict, fsync_proof = settings.edge_strict, FsyncProof(settings.edge_name)
        self.router = Router(
            Lane(primary_at, timeout_s, ping_s, PromiseWatch("primary", strict), fsync_proof),
            Lane(spool_at, timeout_s, timeout_s, PromiseWatch("spool", strict), fsync_proof),
            Breaker(time.monotonic_ns),
            journal=self._journal,
        )
        self.router.breaker.on_open = self._failed_over
        proof = Proof(settings.edge_state_dir)
        self.pulse = Pulse(
            primary_at, self.router, proof.read_ns, settings.edge_ping_interval_s, ping_s
        )
        self.boot = Boot(secrets.randbits(48))
        self.boot_file = BootFile(settings.edge_state_dir, self.boot.id, settings.edge_name)
        kept_clock = KeptClock(settings.edge_state_dir)
        self.clock = CaptureClock(kept=kept_clock.read())
        self.clock_watch = ClockWatch(self.clock, kept_clock)
        self.tally, self.guard = Tally(), Guard(settings)
        self.memory = BodyMemory(settings.edge_body_memory_bytes)
        peers = Peers()
        sealer = Sealer(settings.edge_name, settings.seal_public_key)
        shares = Shares(self.boot.id, settings.spool_max_bytes, self.guard.knows)
        self.router.spool_has_room = lambda: shares.has_room
        self.batcher = Batcher(
            self.boot, self.boot_file, sealer, self.router, shares, self._count_batch
        )
        collector = Collector(self.guard, self.batcher, self.clock, self.boot.id)
        self.intake = Intake(
            self.guard, collector, self.tally, self.memory, settings.edge_body_timeout_s, peers
        )
        self.primary = connect(settings.primary_url, _CHORE_TIMEOUT_S)
        self.spool = connect(settings.spool_url, _CHORE_TIMEOUT_S)
        self.share_book = ShareBook(
            self.spool, settings.edge_name, settings.spool_max_bytes, shares
        )
        self.snapshots = Snapshots(
            read_verify_key(settings.core_verify_key),
            self.guard,
            sealer,
            settings.edge_workers,
            self.spool,
        )
        self.heartbeat = Heartbeat(
            settings.edge_name,
            self.boot,
            self.boot_file,
            self.batcher,
            self.router,
            self.clock,
            self.tally,
            self.memory,
            peers,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Connections and tasks while it serves; at the end nothing is left in memory."""
        await asyncio.gather(self.pulse.start(), self.snapshots.recall(), self._look_at_shares())
        await self._begin()
        await self.heartbeat.show()
        tasks = [
            asyncio.create_task(work)
            for work in (self.batcher.run(), self.pulse.run(), *self._chores())
        ]
        _collect_seldom()
        try:
            yield
        finally:
            await self.batcher.finish()
            await end_tasks(tasks)
            await self._end()

    async def _begin(self) -> None:
        """Known to the core before the first beacon is: nobody calls final what it will receive."""
        with suppress(RedisError, OSError):
            await self.clock_watch.measure(self.primary)
            await self.heartbeat.tell(self.primary)
            await self.snapshots.refresh(self.primary)

    async def _end(self) -> None:
        await self._look_at_shares()
        with suppress(RedisError, OSError):
            await self.heartbeat.ask_spool(self.spool)
            # With a journal the drain closes every boot, once the database has all of it.
            if not self.boot.has_spooled and not self._journal:
                await self.heartbeat.tell(self.primary, ended=True)
                self.boot_file.remove()
        self.router.abandon_primary()
        await self.primary.aclose()
        await self.spool.aclose()

    def _chores(self) -> list[Coroutine[Any, Any, None]]:
        return [
            _each_second(self.heartbeat.show),
            _each_second(lambda: self.heartbeat.ask_spool(self.spool)),
            _each_second(lambda: self.heartbeat.tell(self.primary)),
            _each_second(self.router.check_primary),
            _each_second(self.share_book.look),
            _each_second(self._refresh),
            _each_second(self._end_without_parent),
        ]

    def _count_batch(self, stored: Stored, batch: Batch, seconds: float) -> None:
        EDGE_BATCHES.labels(where=stored.where.value).inc()
        EDGE_FLUSH_SECONDS.labels(where=stored.where.value).observe(seconds)
        for site, events in batch.sites.items():
            self.tally.received(site, events)

    async def _refresh(self) -> None:
        await self.snapshots.recall()
        with suppress(RedisError, OSError):
            await self.clock_watch.measure(self.primary)
            await self.snapshots.refresh(self.primary)

    async def _look_at_shares(self) -> None:
        with suppress(RedisError, OSError):
            await self.share_book.look()

    async def _end_without_parent(self) -> None:
        """A worker that outlives its supervisor would hold the port against the next one."""
        if os.getppid() != self._parent:
            os.kill(os.getpid(), signal.SIGTERM)

    def _failed_over(self, trouble: Trouble) -> None:
        self.router.abandon_primary()
        self.heartbeat.show_place()
        EDGE_FAILOVERS.labels(reason=trouble.value).inc()
        _log.warning("the primary failed (%s); beacons go to the spool", trouble)


def app_from_environment() -> EdgeApp:
    """What a worker process of the supervisor serves."""
    settings = load(EdgeSettings, os.environ)
    set_up_logs(settings.log_level, settings.log_format)
    # A stranger who sends what is not HTTP could fill the log with its warnings.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    return make_app(settings)


def make_app(settings: EdgeSettings) -> EdgeApp:
    """The application of one worker."""
    worker = Worker(settings)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with worker.running():
            yield

    return EdgeApp(settings, worker.intake, lifespan)


def _collect_seldom() -> None:
    # Every beacon makes objects and hardly one a cycle: at Python's own thresholds the search for
    # cycles takes a third of the time.
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


async def _each_second(chore: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await chore()
        except (RedisError, OSError):
            pass
        except Exception as error:
            # Such as uvloop's RuntimeError on a transport that has just closed. Were this the end,
            # a worker that serves would be silent for ever.
            _log.warning("a chore failed and is tried again: %s", type(error).__name__)
        await asyncio.sleep(_CHORE_EVERY_S)
