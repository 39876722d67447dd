"""Moves what waits in the spool to the primary, whenever that is well.

In order; an entry is deleted from the spool only after the primary has confirmed it, so a crash at
any point leads to a repetition at worst, which the ledger catches.
"""

import asyncio
import logging
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import msgspec
from redis.exceptions import NoPermissionError, ResponseError

from edge.batches.closing import DeadBoots
from edge.clock.capture import CaptureClock
from edge.drain.pace import Pace
from edge.failover.probe import Probe
from edge.failover.proof import Proof
from edge.journal.drain import JournalDrain
from edge.journal.last_words import LastWords
from edge.journal.notes import NoteBook
from edge.journal.spool import BLOCK_MS
from edge.servers.fsync_proof import settle_promise
from edge.servers.link import ErrorReply
from edge.servers.promise import PromiseWatch, WeakPromise, ask_promise, names
from edge.spool.sending import send, slices
from edge.spool.stream import AWAY, Extent, Spool, SpoolAway, SpoolGauges
from edge.spool.watch import SpoolWatch
from shared import failpoints
from shared.heartbeat import DRAIN_FIELD, DrainBeat, redis_key
from shared.metrics import DRAINED_BATCHES, JOURNAL_KEPT_BATCHES
from shared.redis_connection import connect
from shared.settings import EdgeSettings

_log = logging.getLogger("edge.drain")
_IDLE_S = 0.1
_REFUSED_S = 1.0
_BEAT_EVERY_S = 1.0
_PROBE_TIMEOUT_S = 0.5
_CHORE_TIMEOUT_S = 2.0


class Drain:
    """One for each name of an edge. ``today``: the drain of the name that it has now, where this is
    one of a name that it had before; that one sees to the servers, which are the same."""

    def __init__(self, settings: EdgeSettings, today: "Drain | None" = None) -> None:
        self._settings = settings
        self._is_former = today is not None
        edge = settings.edge_name
        self._stream = f"ingest:{edge}"
        self._clients = [
            connect(settings.primary_url, settings.drain_deadline_s),
            connect(settings.primary_url, _PROBE_TIMEOUT_S),
            connect(settings.primary_url, _CHORE_TIMEOUT_S),
            connect(settings.spool_url, _CHORE_TIMEOUT_S),
            # Its reads are answered late on purpose.
            connect(settings.spool_url, _CHORE_TIMEOUT_S + BLOCK_MS / 1_000),
        ]
        self._primary, probing, self._core, spooling, reading = self._clients
        proof = Proof(settings.edge_state_dir)
        strict = settings.edge_strict
        self.probe: Probe = (
            today.probe
            if today
            else Probe(
                probing,
                self._core,
                edge,
                _PROBE_TIMEOUT_S,
                proof.write_ns,
                PromiseWatch("primary", strict),
            )
        )
        self._spooling, self._spool_promise = spooling, PromiseWatch("spool", strict)
        self.spool = Spool(spooling, edge, settings.spool_max_bytes)
        self._notes = NoteBook(spooling, edge)
        self._words = LastWords(spooling, edge, settings.edge_journal_keep_h)
        self._journal: JournalDrain | None = None
        if settings.edge_journal == "on":
            self._journal = JournalDrain(
                self._primary, self._core, spooling, reading, edge, settings.edge_journal_keep_h
            )
        self._clock = CaptureClock()
        self.gauges: SpoolGauges = today.gauges if today else SpoolGauges()
        self._spool_state = SpoolState()
        self._prepared = asyncio.Event()
        self._dead_boots = DeadBoots(
            settings.edge_state_dir, edge, self._core, is_former=self._is_former
        )
        self.refused: str | None = None
        self._moved = 0
        self._pace = Pace(settings.drain_bytes_per_s, settings.drain_share)
        moved = (lambda: self._moved) if self._journal is None else None
        self._spool_watch = SpoolWatch(spooling, edge, moved, settings.drain_batches)

    def works(self) -> list[Coroutine[Any, Any, None]]:
        """What it does side by side, each for ever."""
        own = [
            self._move_for_ever() if self._journal is None else self._keep_up(self._journal),
            self._beat_for_ever(),
        ]
        return own if self._is_former else [*own, self.probe.run(), self._look_at_spool_for_ever()]

    async def close(self) -> None:
        """Drop every connection."""
        for client in self._clients:
            await client.aclose()

    def readiness(self) -> dict[str, object]:
        """It can do its work while the spool answers; a primary that is away is what it is for."""
        watches = {"primary": self.probe.promise, "spool": self._spool_promise}
        weak = {server: names(watch.weak) for server, watch in watches.items() if watch.weak}
        return {
            "ready": self._spool_state.is_up,
            "primary_healthy": self.probe.healthy.is_set(),
            **({"weaker_promises": weak} if weak else {}),
            **({"primary_stream": full} if (full := self.probe.stream_end.faults) else {}),
            **({"spool_stream": faults} if (faults := self._spool_watch.faults) else {}),
        }

    @property
    def drained(self) -> int:
        """Batches sent."""
        return self._moved if self._journal is None else self._journal.drained

    async def move(self) -> int:
        """Move the oldest entries; how many there were. Raises what AWAY names."""
        entries = await self.spool.read_oldest(self._settings.drain_batches)
        for part in slices(entries, self._pace.slice_bytes):
            began = time.monotonic()
            await send(self._primary, self._stream, part, prove=self.probe.promise.by_proof)
            failpoints.reach("drained")
            await self.spool.delete(part)
            failpoints.reach("trimmed")
            self._moved += len(part)
            DRAINED_BATCHES.inc(len(part))
            size = sum(entry.size for entry in part)
            self.refused = None
            await asyncio.sleep(self._pace.rest_s(size, time.monotonic() - began))
        return len(entries)

    async def beat(self) -> None:
        """What waits, shown here and told to the core. Raises what AWAY names."""
        extent = await self._measure()
        if self._is_former:
            self.gauges.former[self._settings.edge_name] = extent
        else:
            self.gauges.show(extent, _BEAT_EVERY_S)
            JOURNAL_KEPT_BATCHES.set(self._journal.kept if self._journal else 0)
        if not self.probe.healthy.is_set():
            return
        await self._clock.measure(self._core)
        began = time.monotonic()
        await self._core.ping()
        self._pace.saw_round_trip(time.monotonic() - began)
        now, edge = self._clock.now(), self._settings.edge_name
        beat = DrainBeat(
            now,
            extent.batches,
            extent.bytes,
            extent.oldest_at,
            self.drained,
            journal=self._journal is not None,
        )
        await self._core.hset(redis_key(edge), DRAIN_FIELD, msgspec.msgpack.encode(beat))
        if self._journal is not None:
            await self._journal.look()
        if extent.batches == 0 or self._journal is not None:
            await self._dead_boots.close(now, self._journal)
        if self._journal is not None:
            await self._journal.remind()

    async def _measure(self) -> Extent:
        """What waits. Raises SpoolAway."""
        extent = await self.spool.measure()
        if self._journal is None:
            return extent
        await self._journal.trim()
        while await self._journal.make_room(self._short_of_room(extent)):
            extent = await self.spool.measure()
        return await self._journal.measure(extent)

    def _short_of_room(self, extent: Extent) -> Extent:
        """A stream that takes no entry has no room: what is kept in it goes first."""
        return extent._replace(headroom_bytes=0) if self._spool_watch.is_closed else extent

    async def _look_at_spool_for_ever(self) -> None:
        while True:
            # What it holds is drained all the same; whether it takes more is the workers' look-out.
            with suppress(*AWAY, ErrorReply, WeakPromise):
                await self._spool_watch.look()
                promise = await ask_promise(self._spooling)
                edge = self._settings.edge_name
                self._spool_promise.learn(await settle_promise(self._spooling, edge, promise))
            await asyncio.sleep(_BEAT_EVERY_S)

    async def _move_for_ever(self) -> None:
        while True:
            await self._may_move()
            moved = 0
            try:
                moved = await self.move()
            except SpoolAway as error:
                self._spool_state.failed(error)
            except AWAY as error:
                await self._failed(error)
            if moved < self._settings.drain_batches:
                await asyncio.sleep(_IDLE_S)

    async def _keep_up(self, journal: JournalDrain) -> None:
        """The same with a journal: what is spooled is sent at once, and stays."""
        while True:
            await self._may_move()
            took_s = 0.0
            try:
                took_s = await journal.step(
                    self._settings.drain_batches, prove=self.probe.promise.by_proof
                )
            except SpoolAway as error:
                self._spool_state.failed(error)
                await asyncio.sleep(_IDLE_S)
            except AWAY as error:
                await self._failed(error)
            if took_s:
                self.refused = None
            await self._give_way(took_s)

    async def _failed(self, error: Exception) -> None:
        """The primary did; or it refuses a former name alone, as one that gives each edge a user of
        its own does, and is well otherwise."""
        if self._is_former and isinstance(error, ResponseError):
            self._refuse(error)
            await asyncio.sleep(_REFUSED_S)
        else:
            self.probe.failed(type(error).__name__)

    def _untold(self, error: Exception) -> None:
        if self._is_former and isinstance(error, NoPermissionError):
            self._refuse(error)
        else:
            _log.info("the heartbeat was not told: %s", type(error).__name__)

    def _refuse(self, error: ResponseError) -> None:
        said = self.refused
        self.refused = f"the primary refuses {self._stream} ({error})"
        if said is None:
            _log.error("%s: its batches stay in the spool until this user may use it", self.refused)

    async def _may_move(self) -> None:
        await self.probe.healthy.wait()
        await self._prepared.wait()

    async def _prepare(self) -> None:
        """Once, when the spool answers for the first time. Raises SpoolAway."""
        if self._journal is not None:
            await self._journal.recall()
        else:
            await self._notes.remove()
            await self._words.remove()
        self._prepared.set()

    async def _beat_for_ever(self) -> None:
        while True:
            try:
                if not self._spool_state.is_up:
                    await self.spool.set_bound()
                    if not self._prepared.is_set():
                        await self._prepare()
                    self._spool_state.answered()
                await self.beat()
            except SpoolAway as error:
                self._spool_state.failed(error)
            except AWAY as error:
                self._untold(error)
            await asyncio.sleep(_BEAT_EVERY_S)

    async def _give_way(self, took_s: float) -> None:
        share = self._settings.drain_share
        await asyncio.sleep(took_s * (1 - share) / share)


class SpoolState:
    """Whether the spool answers; said once when that changes."""

    def __init__(self) -> None:
        self.is_up = False
        self._said = False

    def answered(self) -> None:
        """It does."""
        self.is_up, self._said = True, False
        _log.info("the spool answers")

    def failed(self, error: SpoolAway) -> None:
        """It does not."""
        self.is_up = False
        if not self._said:
            _log.warning("the spool does not answer (%s); waiting for it", error)
            self._said = True
