"""Keeps the account of shares in the spool itself, where every worker finds it after a restart."""

from typing import Any

from redis.asyncio import Redis

from edge.spool.first_waiting import first_waiting
from edge.spool.shares import Shares
from edge.spool.stream import measure_room
from shared.stream_state import read_entry_id


class ShareBook:
    """A hash beside the stream: a field for each segment of each worker."""

    def __init__(self, spool: Redis, edge: str, max_bytes: int, shares: Shares) -> None:
        self._spool = spool
        self._edge = edge
        self._key = f"shares:{edge}"
        self._max_bytes = max_bytes
        self._shares = shares

    async def look(self) -> None:
        """Once a second: how full it is, and who fills it. Raises RedisError, OSError."""
        room = await measure_room(self._spool, self._max_bytes)
        self._shares.room_is(room.bound, room.free)
        await self._write()
        await self._read()

    async def _write(self) -> None:
        fields = self._shares.take_unwritten()
        if not fields:
            return
        try:
            await self._put(fields)
        except BaseException:
            self._shares.not_written(fields)
            raise

    async def _put(self, fields: dict[bytes, bytes]) -> None:
        mapping: Any = fields
        await self._spool.hset(self._key, mapping=mapping)

    async def _read(self) -> None:
        asked_at = self._shares.last_taken
        raw: Any = await self._spool.hgetall(self._key)
        if not raw and asked_at == (0, 0):
            return
        found = await first_waiting(self._spool, self._edge)
        first = None if found is None else read_entry_id(found)
        gone = self._shares.heard(raw, first, asked_at)
        if gone:
            await self._spool.hdel(self._key, *gone)
