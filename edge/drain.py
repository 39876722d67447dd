"""``python -m edge.drain``: moves what waits in the spool to the primary, whenever that is well.

In order; an entry is deleted from the spool only after the primary has confirmed it, so a crash at
any point leads to a repetition at worst, which the ledger catches.
"""

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from itertools import chain
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from edge.clock import CaptureClock
from edge.closing import close_dead_boots
from edge.ending import end_tasks
from edge.link import ErrorReply
from edge.probe import Probe
from edge.promise import PromiseWatch, WeakPromise, ask_promise, names
from edge.proof import Proof
from edge.spool import AWAY, Entry, Spool, SpoolAway, SpoolGauges
from edge.state_folder import make_state_folder
from shared import failpoints
from shared.heartbeat import DRAIN_FIELD, DrainBeat, redis_key
from shared.logs import set_up_logs
from shared.metrics import DRAINED_BATCHES
from shared.ops import OpsServer
from shared.redis_connection import connect
from shared.settings import BadSettings, EdgeSettings, load

_log = logging.getLogger("edge.drain")
_IDLE_S = 0.1
_BEAT_EVERY_S = 1.0
_PROBE_TIMEOUT_S = 0.5
_CHORE_TIMEOUT_S = 2.0
_FSYNC_WITHIN_MS = 2_000
SLICE_BYTES = 1024 * 1024
"""Sent before the primary must confirm: a line of 35 kB/s still makes it within the deadline."""


class Drain:
    """One for each edge."""

    def __init__(self, settings: EdgeSettings) -> None:
        self._settings = settings
        edge = settings.edge_name
        self._stream = f"ingest:{edge}"
        self._clients = [
            connect(settings.primary_url, settings.drain_deadline_s),
            connect(settings.primary_url, _PROBE_TIMEOUT_S),
            connect(settings.primary_url, _CHORE_TIMEOUT_S),
            connect(settings.spool_url, _CHORE_TIMEOUT_S),
        ]
        self._primary, probing, self._core, spooling = self._clients
        proof = Proof(settings.edge_state_dir)
        strict = settings.edge_strict
        self.probe = Probe(
            probing, edge, _PROBE_TIMEOUT_S, proof.write_ns, PromiseWatch("primary", strict)
        )
        self._spooling, self._spool_promise = spooling, PromiseWatch("spool", strict)
        self.spool = Spool(spooling, edge, settings.spool_max_bytes)
        self._clock = CaptureClock()
        self._gauges = SpoolGauges()
        self._spool_state = SpoolState()
        self.drained = 0

    def works(self) -> list[Coroutine[Any, Any, None]]:
        """What it does side by side, each for ever."""
        return [
            self.probe.run(),
            self._move_for_ever(),
            self._beat_for_ever(),
            self._look_at_spool_for_ever(),
        ]

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
        }

    async def move(self) -> int:
        """Move the oldest entries; how many there were. Raises what AWAY names."""
        entries = await self.spool.read_oldest(self._settings.drain_batches)
        for part in slices(entries):
            began = time.monotonic()
            await _send(self._primary, self._stream, part, prove=self.probe.promise.by_proof)
            failpoints.reach("drained")
            await self.spool.delete(part)
            failpoints.reach("trimmed")
            self.drained += len(part)
            DRAINED_BATCHES.inc(len(part))
            await self._give_way(time.monotonic() - began)
        return len(entries)

    async def beat(self) -> None:
        """What waits, shown here and told to the core. Raises what AWAY names."""
        extent = await self.spool.measure()
        self._gauges.show(extent, _BEAT_EVERY_S)
        if not self.probe.healthy.is_set():
            return
        await self._clock.measure(self._core)
        now, edge = self._clock.now(), self._settings.edge_name
        beat = DrainBeat(now, extent.batches, extent.bytes, extent.oldest_at, self.drained)
        await self._core.hset(redis_key(edge), DRAIN_FIELD, msgspec.msgpack.encode(beat))
        if extent.batches == 0:
            await close_dead_boots(self._settings.edge_state_dir, edge, self._core, now)

    async def _look_at_spool_for_ever(self) -> None:
        while True:
            # What it holds is drained all the same; whether it takes more is the workers' look-out.
            with suppress(*AWAY, ErrorReply, WeakPromise):
                self._spool_promise.learn(await ask_promise(self._spooling))
            await asyncio.sleep(_BEAT_EVERY_S)

    async def _move_for_ever(self) -> None:
        while True:
            await self.probe.healthy.wait()
            moved = 0
            try:
                moved = await self.move()
            except SpoolAway as error:
                self._spool_state.failed(error)
            except AWAY as error:
                self.probe.failed(type(error).__name__)
            if moved < self._settings.drain_batches:
                await asyncio.sleep(_IDLE_S)

    async def _beat_for_ever(self) -> None:
        while True:
            try:
                if not self._spool_state.is_up:
                    await self.spool.set_bound()
                    self._spool_state.answered()
                await self.beat()
            except SpoolAway as error:
                self._spool_state.failed(error)
            except AWAY as error:
                _log.info("the heartbeat was not told: %s", type(error).__name__)
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


def slices(entries: list[Entry]) -> Iterator[list[Entry]]:
    """The entries in order, some SLICE_BYTES at a time, at least one."""
    part: list[Entry] = []
    size = 0
    for entry in entries:
        if part and size + entry.size > SLICE_BYTES:
            yield part
            part, size = [], 0
        part.append(entry)
        size += entry.size
    if part:
        yield part


async def _send(primary: Redis, stream: str, entries: list[Entry], *, prove: bool) -> None:
    """``prove``: ask for the fsync, where nobody may read whether there is one."""
    async with primary.pipeline(transaction=False) as pipeline:
        for entry in entries:
            pipeline.execute_command("XADD", stream, "*", *chain(*entry.fields.items()))
        if prove:
            pipeline.execute_command("WAITAOF", 1, 0, _FSYNC_WITHIN_MS)
        *_, last = await pipeline.execute()
    if prove and int(last[0]) < 1:
        raise RedisError("not fsynced in time")


async def serve(settings: EdgeSettings) -> None:
    """Drain and ops server, until SIGTERM or SIGINT."""
    drain = Drain(settings)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    ops = OpsServer(drain.readiness, settings.ops_host, settings.drain_ops_port)
    tasks = [asyncio.create_task(work) for work in (*drain.works(), ops.serve(), stop.wait())]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    await end_tasks(tasks)
    await drain.close()
    for task in done:
        task.result()


def main() -> None:
    """Exit code 1 and one sentence when it cannot be begun."""
    try:
        settings = load(EdgeSettings, os.environ)
        make_state_folder(settings)
    except BadSettings as error:
        sys.exit(str(error))
    set_up_logs(settings.log_level, settings.log_format)
    asyncio.run(serve(settings))


if __name__ == "__main__":
    main()
