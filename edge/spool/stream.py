"""The spool as the drain sees it: read from its beginning, delete, measure."""

import logging
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from shared.clock import US_PER_MS, US_PER_SECOND
from shared.metrics import (
    SPOOL_BATCHES,
    SPOOL_BYTES,
    SPOOL_HEADROOM_BYTES,
    SPOOL_HEADROOM_SECONDS,
    SPOOL_OLDEST_TIMESTAMP,
)

_log = logging.getLogger("edge.drain")
_SMOOTHING = 0.3
_THIS_HOST = {"localhost", "127.0.0.1", "::1"}
_MEMORY_RESERVE = 64
_DISK_RESERVE = 32
"""Parts of the bound that are kept free."""
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


class Room(NamedTuple):
    """``bound``: most bytes that it may hold. ``free``: those it can still take, 0 when full.
    ``disk``: what is free there, if that can be seen."""

    bound: int
    used: int
    free: int
    disk: int | None = None


async def measure_room(redis: Redis, max_bytes: int) -> Room:
    """By its memory and, where that can be seen from here, by the disk below its file. Beacons
    stop a little before either ends: what empties the spool needs some of both. Raises RedisError,
    OSError."""
    memory = await redis.info("memory")
    used = int(memory["used_memory"])
    bound = min(int(memory["maxmemory"]) or max_bytes, max_bytes)
    free = bound - used - bound // _MEMORY_RESERVE
    disk = await _disk_free(redis)
    if disk is not None:
        free = min(free, disk - bound // _DISK_RESERVE)
    return Room(bound, used, max(0, free), disk)


async def _disk_free(redis: Redis) -> int | None:
    """None when the folder is not to be asked for, or is another host's."""
    options = redis.connection_pool.connection_kwargs
    if "path" not in options and options.get("host", "localhost") not in _THIS_HOST:
        return None
    try:
        folder = (await redis.config_get("dir"))["dir"] or ""
        disk = os.statvfs(folder)
    except (ResponseError, KeyError, OSError):
        return None
    return disk.f_bavail * disk.f_frsize


class Extent(NamedTuple):
    """``oldest_at``: when the oldest batch was spooled, in microseconds by the spool's clock."""

    batches: int
    bytes: int
    headroom_bytes: int
    oldest_at: int | None


@contextmanager
def told_apart() -> Iterator[None]:
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
        with told_apart():
            found: Any = await self._redis.xrange(self._stream, count=count)
        return [Entry(entry_id, fields) for entry_id, fields in found]

    async def delete(self, entries: Sequence[Entry]) -> None:
        """They are at the primary."""
        with told_apart():
            await self._redis.xdel(self._stream, *[entry.entry_id for entry in entries])

    async def set_bound(self) -> None:
        """Have Redis refuse what goes beyond the bound, and never evict."""
        with told_apart():
            memory = await self._redis.info("memory")
            bound = int(memory["maxmemory"])
            if bound == 0 or bound > self._max_bytes:
                await self._configure("maxmemory", self._max_bytes)
            if memory["maxmemory_policy"] != "noeviction":
                await self._configure("maxmemory-policy", "noeviction")

    async def measure(self) -> Extent:
        """What it holds and can still take."""
        with told_apart():
            batches = int(await self._redis.xlen(self._stream))
            room = await measure_room(self._redis, self._max_bytes)
            if room.free == 0 and room.disk is not None:
                await self._shrink_file(room.used, room.disk)
        return Extent(batches, room.used, room.free, await self._oldest_at())

    async def _shrink_file(self, used: int, disk: int) -> None:
        """Redis rewrites its file when that has doubled; on a small disk it may never come to it,
        and would stay full of what was deleted long ago."""
        file = await self._redis.info("persistence")
        if file["aof_rewrite_in_progress"] or int(file.get("aof_current_size", 0)) < 2 * used:
            return
        if disk > used:
            _log.warning("the spool's disk is short: its file is rewritten")
            with suppress(ResponseError):
                await self._redis.bgrewriteaof()

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
    """Headroom in seconds goes by the growth of the last few looks. ``former``: what waits of the
    names that the edge had before, by name."""

    def __init__(self) -> None:
        self.former: dict[str, Extent] = {}
        self._bytes: int | None = None
        self._growth_per_s: float | None = None

    def show(self, extent: Extent, since_s: float) -> None:
        """Publish an extent taken ``since_s`` after the one before."""
        if self._bytes is not None and since_s > 0:
            grown = (extent.bytes - self._bytes) / since_s
            before = grown if self._growth_per_s is None else self._growth_per_s
            self._growth_per_s = before + _SMOOTHING * (grown - before)
        self._bytes = extent.bytes
        SPOOL_BATCHES.set(sum(one.batches for one in (extent, *self.former.values())))
        SPOOL_BYTES.set(extent.bytes)
        SPOOL_OLDEST_TIMESTAMP.set(self._oldest_at(extent) / US_PER_SECOND)
        SPOOL_HEADROOM_BYTES.set(extent.headroom_bytes)
        SPOOL_HEADROOM_SECONDS.set(self._seconds_left(extent))

    def _oldest_at(self, extent: Extent) -> int:
        found = [one.oldest_at for one in (extent, *self.former.values()) if one.oldest_at]
        return min(found, default=0)

    def _seconds_left(self, extent: Extent) -> float:
        if extent.headroom_bytes == 0:
            return 0.0
        if self._growth_per_s is None or self._growth_per_s < 1:
            return math.inf
        return extent.headroom_bytes / self._growth_per_s
