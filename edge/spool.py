"""The spool as the drain sees it: read from its beginning, delete, measure."""

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from shared.clock import US_PER_MS
from shared.metrics import (
    SPOOL_BATCHES,
    SPOOL_BYTES,
    SPOOL_HEADROOM_BYTES,
    SPOOL_HEADROOM_SECONDS,
)

_log = logging.getLogger("edge.drain")
_SMOOTHING = 0.3
AWAY = (RedisError, OSError)
"""What a Redis that cannot be used raises."""


class SpoolAway(Exception):
    """The spool cannot be used now; the message names the kind of error."""


class Entry(NamedTuple):
    """One spooled batch as it lies there."""

    entry_id: bytes
    fields: dict[bytes, bytes]

    @property
    def size(self) -> int:
        """Bytes of its values."""
        return sum(map(len, self.fields.values()))


class Extent(NamedTuple):
    """``oldest_at``: when the oldest batch was spooled, in microseconds by the spool's clock."""

    batches: int
    bytes: int
    headroom_bytes: int
    oldest_at: int | None


@contextmanager
def _told_apart() -> Iterator[None]:
    # Both servers fail with the same exceptions, and only one of them pauses the drain.
    try:
        yield
    except AWAY as error:
        raise SpoolAway(type(error).__name__) from error


class Spool:
    """Every method raises SpoolAway."""

    def __init__(self, redis: Redis, edge: str, max_bytes: int) -> None:
        self._redis = redis
        self._stream = f"ingest:{edge}"
        self._max_bytes = max_bytes

    async def read_oldest(self, count: int) -> list[Entry]:
        """The first entries, in the order in which they were stored."""
        with _told_apart():
            found: Any = await self._redis.xrange(self._stream, count=count)
        return [Entry(entry_id, fields) for entry_id, fields in found]

    async def delete(self, entries: Sequence[Entry]) -> None:
        """They are at the primary."""
        with _told_apart():
            await self._redis.xdel(self._stream, *[entry.entry_id for entry in entries])

    async def set_bound(self) -> None:
        """Have Redis refuse what goes beyond the bound, and never evict."""
        with _told_apart():
            memory = await self._redis.info("memory")
            bound = int(memory["maxmemory"])
            if bound == 0 or bound > self._max_bytes:
                await self._configure("maxmemory", self._max_bytes)
            if memory["maxmemory_policy"] != "noeviction":
                await self._configure("maxmemory-policy", "noeviction")

    async def measure(self) -> Extent:
        """What it holds and can still take."""
        with _told_apart():
            batches = int(await self._redis.xlen(self._stream))
            memory = await self._redis.info("memory")
        used = int(memory["used_memory"])
        bound = int(memory["maxmemory"]) or self._max_bytes
        return Extent(batches, used, max(0, bound - used), await self._oldest_at())

    async def _configure(self, name: str, value: str | int) -> None:
        try:
            await self._redis.config_set(name, value)
        except ResponseError:
            _log.warning("the spool lets nobody set %s; it should be %s", name, value)

    async def _oldest_at(self) -> int | None:
        first = await self.read_oldest(1)
        if not first:
            return None
        return int(first[0].entry_id.partition(b"-")[0]) * US_PER_MS


class SpoolGauges:
    """Headroom in seconds goes by the growth of the last few looks."""

    def __init__(self) -> None:
        self._bytes: int | None = None
        self._growth_per_s = 0.0

    def show(self, extent: Extent, since_s: float) -> None:
        """Publish an extent taken ``since_s`` after the one before."""
        if self._bytes is not None and since_s > 0:
            grown = (extent.bytes - self._bytes) / since_s
            self._growth_per_s += _SMOOTHING * (grown - self._growth_per_s)
        self._bytes = extent.bytes
        SPOOL_BATCHES.set(extent.batches)
        SPOOL_BYTES.set(extent.bytes)
        SPOOL_HEADROOM_BYTES.set(extent.headroom_bytes)
        SPOOL_HEADROOM_SECONDS.set(self._seconds_left(extent))

    def _seconds_left(self, extent: Extent) -> float:
        if self._growth_per_s < 1:
            return math.inf
        return extent.headroom_bytes / self._growth_per_s
