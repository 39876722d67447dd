"""Reads the streams of all edges, and stores what it reads exactly once in effect.

While PostgreSQL works on one read, the next one is fetched, opened and enriched. An entry is
acknowledged and deleted after its commit only, so that whatever dies in between is read again,
and the ledger knows it.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple, TypeVar

from psycopg import Connection
from redis.asyncio import Redis
from redis.exceptions import RedisError

from shared import failpoints
from shared.metrics import (
    WRITER_BATCHES,
    WRITER_COMMIT_SECONDS,
    WRITER_EVENTS,
    WRITER_LAG_ENTRIES,
    WRITER_QUARANTINED,
)
from writer.announce import publish_commits
from writer.apart import Preparing
from writer.database.availability import Availability
from writer.database.connection import READ_ONLY, DataRefused, Unavailable
from writer.database.promises import Promises
from writer.database.session import Session
from writer.periodic import is_cancelled
from writer.prepare import Entry
from writer.store import Outcome, Read, Store
from writer.stream import Stream

log = logging.getLogger("writer")

T = TypeVar("T")

BLOCK_MS = 1_000
_FIRST_WAIT_S = 0.05
_LONGEST_WAIT_S = 2.0
_IS_READ_ONLY = "SELECT current_setting('transaction_read_only')::boolean"
_EDGES = "SELECT edge FROM edge ORDER BY edge"


class Limits(NamedTuple):
    """How much one transaction takes, and when another writer's entries count as abandoned."""

    events: int
    batches: int
    claim_after_s: float


def _nothing() -> None:
    return None


def _at_once(_: float) -> float:
    return 0.0


class Consumer:
    """One writer. ``after_commit`` is called between commit and acknowledgement; ``give_way``
    tells for how long to rest after a read that took so long (s)."""

    def __init__(
        self,
        redis: Redis,
        name: str,
        limits: Limits,
        preparer: Preparing,
        store: Store,
        session: Session,
        promises: Promises,
        after_commit: Callable[[], None] = _nothing,
        give_way: Callable[[float], float] = _at_once,
    ) -> None:
        self._redis = redis
        self._name = name
        self._limits = limits
        self._preparer = preparer
        self._store = store
        self._session = session
        self._promises = promises
        self._after_commit = after_commit
        self._give_way = give_way
        self._streams: dict[str, Stream] = {}
        self._readers: dict[str, asyncio.Task[None]] = {}
        self._turn = 0
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._stopping = asyncio.Event()
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="writer")
        self._storing: asyncio.Task[None] | None = None
        self.database = Availability()
        self.primary_up = False
        self.is_running = False

    async def run(self) -> None:
        """Until ``stop``; the transaction under way is finished first."""
        self.is_running = True
        try:
            while entries := await self._next_entries():
                began = perf_counter()
                read = await self._insist("prepare", partial(self._preparer.prepare, entries))
                await self._finish_storing()
                if read is not None:
                    self._storing = asyncio.create_task(self._put(read, entries))
                    self._storing.add_done_callback(lambda _: self._arrived.set())
                await self._rest(self._give_way(perf_counter() - began))
            await self._finish_storing()
        finally:
            self.is_running = False
            await self._end()

    async def _rest(self, seconds: float) -> None:
        """Shorter when stopping."""
        if seconds:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._stopping.wait()

    async def _finish_storing(self) -> None:
        if self._storing is not None:
            await self._storing
            self._storing = None

    @property
    def edges(self) -> list[str]:
        """Those whose streams are read."""
        return list(self._readers)

    def stop(self) -> None:
        """Ask ``run`` to return."""
        self._stopping.set()
        self._arrived.set()

    async def follow_edges(self) -> None:
        """Read the streams of the edges that are registered now, and of no others."""
        try:
            edges = await self._session.run(self._read_edges)
        except Unavailable as error:
            self.database.refused("edges", error)
            raise
        self.database.took("edges")
        for edge in set(self._readers) - set(edges):
            self._readers.pop(edge).cancel()
        for edge in edges:
            if edge not in self._streams:
                self._streams[edge] = Stream(self._redis, edge, self._name, self._limits.batches)
            if edge not in self._readers:
                self._streams[edge].start_over()
                self._readers[edge] = asyncio.create_task(self._read_on(self._streams[edge]))

    def _read_edges(self, connection: Connection[Any]) -> list[str]:
        """Raises Unavailable where nothing could be stored, before anything has to be."""
        if connection.execute(_IS_READ_ONLY).fetchone() == (True,):
            raise Unavailable("it is read-only", READ_ONLY)
        self._promises.look(connection)
        return [edge for (edge,) in connection.execute(_EDGES)]

    async def look_after(self) -> None:
        """Once a second or so: acknowledge what could not be, and measure the lag."""
        try:
            await self._redis.ping()
        except (RedisError, OSError) as error:
            self._lose_primary(error)
            raise
        self.primary_up = True
        for edge, stream in self._streams.items():
            await stream.release()
            WRITER_LAG_ENTRIES.labels(edge).set(await stream.length())

    async def keep_claims(self) -> None:
        """Several times within ``claim_after_s``: hold what is ours, take what was abandoned."""
        for edge in list(self._readers):
            stream = self._streams[edge]
            await stream.keep()
            if await stream.claim_abandoned(int(self._limits.claim_after_s * 1_000)):
                self._arrived.set()

    async def _read_on(self, stream: Stream) -> None:
        wait_s = _FIRST_WAIT_S
        while not is_cancelled():
            if len(stream.waiting) >= self._limits.batches:
                self._room.clear()
                await self._room.wait()
                continue
            try:
                await stream.read(BLOCK_MS)
                self.primary_up, wait_s = True, _FIRST_WAIT_S
            except (RedisError, OSError) as error:
                self._lose_primary(error)
                wait_s = await _start_over(stream, wait_s)
            except Exception:
                log.exception("reading of edge %r failed", stream.edge)
                wait_s = await _start_over(stream, wait_s)
            if stream.waiting:
                self._arrived.set()

    def _lose_primary(self, error: Exception) -> None:
        if self.primary_up:
            log.warning("the primary is away (%s); waiting for it", type(error).__name__)
        self.primary_up = False

    async def _next_entries(self) -> list[Entry]:
        """What the next transaction takes; waits for it. Empty when stopping."""
        while not self._stopping.is_set():
            if self._storing is not None and self._storing.done():
                # Whatever went wrong there must be heard of, even if nothing comes after it.
                await self._finish_storing()
            entries = self._take()
            if entries:
                self._room.set()
                return entries
            self._arrived.clear()
            await self._arrived.wait()
        return []

    def _take(self) -> list[Entry]:
        """One entry of each edge in turn, so that none waits for another's backlog."""
        streams = [stream for stream in self._streams.values() if stream.waiting]
        taken: list[Entry] = []
        events = 0
        while streams and len(taken) < self._limits.batches:
            self._turn = (self._turn + 1) % len(streams)
            stream = streams[self._turn]
            events += _claimed_events(stream.waiting[0])
            if taken and events > self._limits.events:
                break
            taken.append(stream.waiting.popleft())
            if not stream.waiting:
                streams.remove(stream)
        return taken

    async def _put(self, read: Read, entries: Sequence[Entry]) -> None:
        began = perf_counter()
        try:
            outcomes = await self._insist("store", lambda: self._store.put(read))
        except DataRefused as error:
            log.error("entries can be neither stored nor set aside (%s): left in the stream", error)
            return
        if outcomes is None:
            return
        WRITER_COMMIT_SECONDS.observe(perf_counter() - began)
        self._after_commit()
        failpoints.reach("committed")
        _count(outcomes)
        await self._release(entries)
        failpoints.reach("acked")
        await publish_commits(self._redis, outcomes)

    async def _release(self, entries: Sequence[Entry]) -> None:
        for edge in {entry.edge for entry in entries}:
            ids = [entry.entry_id for entry in entries if entry.edge == edge]
            try:
                await self._streams[edge].release(ids)
            except (RedisError, OSError) as error:
                # They are known as done, and acknowledged when the primary is back.
                self._lose_primary(error)

    async def _insist(self, doing: str, work: Callable[[], T]) -> T | None:
        """Try until the database takes it, however long that is; None when stopping first."""
        wait_s = _FIRST_WAIT_S
        loop = asyncio.get_running_loop()
        while True:
            try:
                done = await loop.run_in_executor(self._threads, work)
                self.database.took(doing)
                return done
            except Unavailable as error:
                self.database.refused(doing, error)
            if await self._stopped_within(wait_s):
                return None
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S)

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def _end(self) -> None:
        for reader in self._readers.values():
            reader.cancel()
        await asyncio.gather(*self._readers.values(), return_exceptions=True)
        self._threads.shutdown()
        self._preparer.close()
        self._store.close()


async def _start_over(stream: Stream, wait_s: float) -> float:
    """Returns how long to wait the next time."""
    stream.start_over()
    await asyncio.sleep(wait_s)
    return min(wait_s * 2, _LONGEST_WAIT_S)


def _claimed_events(entry: Entry) -> int:
    """How many events an entry says it has; unproven, and good enough to size a read by."""
    try:
        return max(int(entry.fields[b"n"]), 1)
    except (KeyError, ValueError):
        return 1


def _count(outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        WRITER_BATCHES.labels("new").inc(outcome.new_batches)
        WRITER_BATCHES.labels("repeated").inc(outcome.repeated_batches)
        WRITER_EVENTS.labels("stored").inc(outcome.stored)
        WRITER_EVENTS.labels("duplicate").inc(outcome.duplicate)
        WRITER_EVENTS.labels("dropped").inc(outcome.dropped)
        WRITER_EVENTS.labels("waiting").inc(outcome.waiting)
        WRITER_EVENTS.labels("quarantined").inc(outcome.quarantined.total())
        for reason, n in outcome.quarantined.items():
            WRITER_QUARANTINED.labels(reason).inc(n)
