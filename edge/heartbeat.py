"""Once a second: how far this boot is, told to the primary, the boot file and the metrics."""

import msgspec
from redis.asyncio import Redis

from edge.admission.peers import Peers
from edge.batches.batcher import Batcher
from edge.batches.boot import Boot
from edge.batches.boot_file import BootFile, Place
from edge.batches.tally import Tally
from edge.clock.capture import CaptureClock
from edge.failover.router import Router, Where
from edge.http.body import BodyMemory
from edge.spool.first_waiting import first_waiting
from shared.clock import US_PER_SECOND
from shared.heartbeat import BootBeat, redis_key
from shared.metrics import EDGE_BODY_BYTES, EDGE_CLOCK_OFFSET_SECONDS, EDGE_PRIMARY_UP

_PLACES = {None: Place.NOWHERE, Where.PRIMARY: Place.PRIMARY, Where.SPOOL: Place.SPOOL}


class Heartbeat:
    """Reads the state of one worker; changes nothing of it but what the spool no longer holds."""

    def __init__(
        self,
        edge: str,
        boot: Boot,
        boot_file: BootFile,
        batcher: Batcher,
        router: Router,
        clock: CaptureClock,
        tally: Tally,
        memory: BodyMemory,
        peers: Peers,
    ) -> None:
        self._key = redis_key(edge)
        self._edge = edge
        self._boot = boot
        self._boot_file = boot_file
        self._batcher = batcher
        self._router = router
        self._clock = clock
        self._tally = tally
        self._memory = memory
        self._peers = peers

    async def show(self) -> None:
        """To this host: boot file and metrics."""
        await self._router.check_spool()
        self.show_place()
        self._boot_file.make()
        self._boot_file.write_weak(*self._router.weak)
        self._tally.publish()
        self._peers.publish()
        EDGE_BODY_BYTES.set(self._memory.held)
        EDGE_CLOCK_OFFSET_SECONDS.set(self._clock.offset_us / US_PER_SECOND)

    def show_place(self) -> None:
        """Where a batch would go now."""
        place = self._router.place
        self._boot_file.write_place(_PLACES[place])
        EDGE_PRIMARY_UP.set(place is Where.PRIMARY)

    async def ask_spool(self, spool: Redis) -> None:
        """Which of our batches the drain has passed. Raises RedisError, OSError."""
        if self._boot.has_spooled:
            newest = self._boot.newest_spooled
            self._boot.drained_before(await first_waiting(spool, self._edge), newest)

    async def tell(self, primary: Redis, *, ended: bool = False) -> None:
        """To the core. Raises RedisError, OSError."""
        field = f"{self._boot.id:012x}"
        await primary.hset(self._key, field, msgspec.msgpack.encode(self.beat(ended=ended)))

    def beat(self, *, ended: bool = False) -> BootBeat:
        """How this boot stands now."""
        now = self._clock.now()
        return BootBeat(
            at=now,
            low=self._boot.low,
            low_time=self._boot.low_time(now, self._batcher.oldest_at),
            last_acked=self._boot.last_acked,
            void=self._boot.voids,
            counts=self._tally.counts,
            clock_offset_us=self._clock.offset_us,
            ended=ended,
            counted_to=self._boot.last_acked,
        )
