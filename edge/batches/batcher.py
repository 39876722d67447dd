"""Group commit: one flush in flight, and what arrives meanwhile is the next batch."""

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Callable

from edge.batches.boot import Boot
from edge.batches.boot_file import BootFile
from edge.batches.seal import Sealer
from edge.failover.router import NoPlace, Router, Stored, Where
from edge.servers.link import pack
from edge.spool.shares import Shares
from shared import batch as wire
from shared import failpoints
from shared.envelope import Envelope

_log = logging.getLogger("edge")
_OVERHEAD = 96
"""Bytes that an envelope takes beside its texts, before compression; rather too many."""
_IN_MEMORY = 1.125
"""What a stored byte takes of the spool's memory, by and large."""

Flushed = Callable[[Stored, "Batch", float], None]
"""Told of every stored batch: where, which, and the seconds it took. Nothing is awaited between
the acknowledged number and this, so that what is counted belongs to the numbers up to there."""


Done = Callable[[int | None], None]
"""Takes the number of the batch once it is fsynced, or None when it was given up; never raises."""


def tell(known: "asyncio.Future[int | None]") -> Done:
    """For one who awaits it, and may have gone away meanwhile."""

    def done(seq: int | None) -> None:
        if not known.done():
            known.set_result(seq)

    return done


class GivenUp(Exception):
    """The batch was stored nowhere; its beacons are answered with a 503."""


class Batch:
    """Envelopes that will share one stream entry."""

    __slots__ = ("bytes", "envelopes", "events", "sites", "waiting")

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.waiting: list[Done] = []
        self.sites: dict[str, int] = {}
        self.events = 0
        self.bytes = 0


class Batcher:
    """Bounded by the request bytes a worker may hold: a beacon waits here with its body."""

    def __init__(
        self,
        boot: Boot,
        boot_file: BootFile,
        sealer: Sealer,
        router: Router,
        shares: Shares,
        flushed: Flushed,
    ) -> None:
        self._boot = boot
        self._boot_file = boot_file
        self._sealer = sealer
        self._router = router
        self._shares = shares
        self._flushed = flushed
        self._stream = b"ingest:" + sealer.edge.encode()
        self._forming: deque[Batch] = deque()
        self._in_flight: Batch | None = None
        self._arrived = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    def may_take(self, site: str) -> bool:
        """Whether the site may use the place where a batch would go now."""
        return not self._router.spools or self._shares.may_take(site)

    def batch_for(self, size: int, events: int) -> Batch:
        """The batch that a beacon of so many bytes joins. Sealed bytes are guessed by the raw
        ones, which compression only makes fewer."""
        if self._forming:
            last = self._forming[-1]
            fits = last.bytes + size + _OVERHEAD <= wire.MAX_BYTES
            if fits and last.events + events <= wire.MAX_EVENTS:
                return last
        self._forming.append(Batch())
        return self._forming[-1]

    def put(self, batch: Batch, envelope: Envelope, size: int, events: int, done: Done) -> None:
        """``done`` is called once it is known what became of the batch."""
        batch.envelopes.append(envelope)
        batch.waiting.append(done)
        batch.sites[envelope.site] = batch.sites.get(envelope.site, 0) + events
        batch.events += events
        batch.bytes += size + _OVERHEAD
        self._arrived.set()

    @property
    def oldest_at(self) -> int | None:
        """received_at of the oldest envelope in memory."""
        for batch in (self._in_flight, *self._forming):
            if batch is not None and batch.envelopes:
                return batch.envelopes[0].received_at
        return None

    async def run(self) -> None:
        """Flush for ever."""
        while True:
            await self._arrived.wait()
            self._empty.clear()
            while self._forming:
                await self._flush_next()
            self._arrived.clear()
            self._empty.set()

    async def finish(self) -> None:
        """Wait until nothing is in memory."""
        while self._forming or not self._empty.is_set():
            await asyncio.sleep(0)
            await self._empty.wait()

    async def _flush_next(self) -> None:
        failpoints.reach("received")
        batch = self._in_flight = self._forming.popleft()
        seq: int | None = None
        try:
            seq = await self._store(batch)
        except GivenUp:
            pass
        except Exception as error:
            # A fault of ours: these clients hear a 503, and the next batch gets its turn.
            _log.error("a batch could not be made: %s", type(error).__name__)
        self._in_flight = None
        for done in batch.waiting:
            done(seq)
        failpoints.reach_once_sent("replied")

    async def _store(self, batch: Batch) -> int:
        if self._router.is_refusing:
            raise GivenUp
        began = time.monotonic()
        boot, voids = self._boot, self._boot.untold_voids
        seq = boot.next_seq()
        header = self._sealer.header(boot.id, seq, batch.events, boot.low, voids)
        fields = self._sealer.seal(header, batch.envelopes)
        try:
            command = self._command(fields)
            stored = await self._router.store(command)
        except NoPlace as error:
            boot.gave_up(seq)
            self._boot_file.write_voids(boot.voids)
            raise GivenUp from error
        if stored.where is Where.SPOOL:
            self._shares.took(stored.entry_id, int(len(command) * _IN_MEMORY), _weights(batch))
        self._acknowledge(stored, seq, batch, len(voids))
        self._flushed(stored, batch, time.monotonic() - began)
        return seq

    def _acknowledge(self, stored: Stored, seq: int, batch: Batch, told: int) -> None:
        if stored.where is Where.PRIMARY:
            self._boot.at_primary(seq, told)
        else:
            self._boot.at_spool(seq, stored.entry_id, batch.envelopes[0].received_at, told)
        self._boot_file.write_acked(seq)

    def _command(self, fields: dict[str, bytes]) -> bytes:
        parts = [b"XADD", self._stream, b"*"]
        for name, value in fields.items():
            parts += (name.encode(), value)
        return pack(*parts)


def _weights(batch: Batch) -> Counter[str]:
    """The raw bytes of each site, by which it owns the sealed ones."""
    weights: Counter[str] = Counter()
    for envelope in batch.envelopes:
        weights[envelope.site] += len(envelope.body) + _OVERHEAD
    return weights
