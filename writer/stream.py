"""One edge's stream, read as one consumer of the group ``writers``.

Entries handed out stay pending in Redis until they are released; until then they are held here
too, so that none is handed out twice.
"""

import logging
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from writer.prepare import Entry

log = logging.getLogger("writer")

GROUP = "writers"
_NEW = ">"
_FROM_FIRST = "0"

_Raw = tuple[bytes, dict[bytes, bytes] | None]
"""An entry's id and fields; none where it was deleted while it was pending."""


def stream_key(edge: str) -> str:
    """Where an edge's batches are."""
    return f"ingest:{edge}"


class Stream:
    """Buffers what was read ahead of one edge; raises RedisError when the primary is away."""

    def __init__(self, redis: Redis, edge: str, consumer: str, most: int) -> None:
        self.edge = edge
        self.waiting: deque[Entry] = deque()
        self._redis = redis
        self._key = stream_key(edge)
        self._consumer = consumer
        self._most = most
        self._held: set[bytes] = set()
        self._done: set[bytes] = set()
        # What an earlier life of this consumer was given, or a lost answer held, comes first.
        self._cursor = _FROM_FIRST
        self._has_group = False

    async def read(self, block_ms: int) -> None:
        """Wait up to ``block_ms`` for entries, and buffer them."""
        try:
            await self._make_group()
            answer = await self._redis.xreadgroup(
                GROUP, self._consumer, {self._key: self._cursor}, self._most, block_ms
            )
        except ResponseError as error:
            self._forget_group(error)
            return
        entries = _entries(answer)
        is_new = self._cursor == _NEW
        self._take(entries, {} if is_new else await self._deliveries(entries))
        if not is_new:
            self._cursor = entries[-1][0].decode() if entries else _NEW

    def start_over(self) -> None:
        """An answer may have been lost: ask again for what is pending for this consumer."""
        self._cursor = _FROM_FIRST
        self._has_group = False

    async def claim_abandoned(self, idle_ms: int) -> int:
        """Take over what another consumer was given and left; returns how many entries."""
        if not self._has_group:
            return 0
        try:
            answer: Any = await self._redis.xautoclaim(
                self._key, GROUP, self._consumer, idle_ms, "0-0", self._most
            )
        except ResponseError as error:
            self._forget_group(error)
            return 0
        entries = answer[1]
        return self._take(entries, await self._deliveries(entries))

    async def keep(self) -> None:
        """Say of everything held that it is not abandoned, however long its database is away."""
        held: list[Any] = list(self._held)
        try:
            for at in range(0, len(held), 1_000):
                await self._redis.xclaim(
                    self._key, GROUP, self._consumer, 0, held[at : at + 1_000], justid=True
                )
        except ResponseError as error:
            self._forget_group(error)

    async def release(self, entry_ids: Iterable[bytes] = ()) -> None:
        """Acknowledge and delete what is committed, in one step, and whatever could not be before.

        XDEL without XACK would leave pending entries without a body.
        """
        self._done.update(entry_ids)
        done = list(self._done)
        if not done:
            return
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.xack(self._key, GROUP, *done)
            pipe.xdel(self._key, *done)
            await pipe.execute()
        self._done.difference_update(done)
        self._held.difference_update(done)

    async def length(self) -> int:
        """Entries not yet committed."""
        return int(await self._redis.xlen(self._key))

    def _forget_group(self, error: ResponseError) -> None:
        """The primary has lost this stream: that must not keep the others from their turn."""
        if "NOGROUP" not in str(error):
            raise error
        self._has_group = False

    async def _make_group(self) -> None:
        if self._has_group:
            return
        try:
            await self._redis.xgroup_create(self._key, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        self._has_group = True

    async def _deliveries(self, entries: Sequence[_Raw]) -> dict[bytes, int]:
        """How often each of some pending entries was handed out, this time included."""
        if not entries:
            return {}
        pending: Any = await self._redis.xpending_range(
            self._key,
            GROUP,
            min=entries[0][0],
            max=entries[-1][0],
            count=len(self._held) + len(entries),
            consumername=self._consumer,
        )
        return {one["message_id"]: one["times_delivered"] for one in pending}

    def _take(self, entries: Sequence[_Raw], deliveries: Mapping[bytes, int]) -> int:
        taken = 0
        for entry_id, fields in entries:
            if entry_id in self._held:
                continue
            self._held.add(entry_id)
            if fields:
                times = deliveries.get(entry_id, 1)
                self.waiting.append(Entry(self.edge, entry_id, fields, times))
                taken += 1
            else:
                # Deleted while it was pending: nothing is left to store.
                self._done.add(entry_id)
        return taken


def _entries(answer: Any) -> list[_Raw]:
    return [entry for _, entries in answer or () for entry in entries]
