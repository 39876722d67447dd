"""The spool as the journal sees it: read from anywhere, nothing deleted but what is kept."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from redis.asyncio import Redis

from edge.journal.journal import EntryId, show_id
from edge.spool.stream import Entry, told_apart
from shared.stream_state import read_entry_id

BLOCK_MS = 250
"""How long a read waits for a new entry."""


class End(NamedTuple):
    """Of the spool's stream: how many entries it has, how many it was ever given, its last id."""

    length: int
    added: int
    last: EntryId


class JournalSpool:
    """``reader`` is a connection that may wait for BLOCK_MS. Every method raises SpoolAway."""

    def __init__(self, spool: Redis, reader: Redis, edge: str) -> None:
        self._spool = spool
        self._reader = reader
        self._stream = f"ingest:{edge}"

    async def read_new(self, sent: EntryId, count: int, *, block: bool) -> list[Entry]:
        """What was stored after ``sent``; waits for it where it may block."""
        wait_ms = BLOCK_MS if block else None
        with told_apart():
            found: Any = await self._reader.xread({self._stream: show_id(sent)}, count, wait_ms)
        return [
            Entry(entry_id, fields) for _, entries in found or () for entry_id, fields in entries
        ]

    async def read_from(self, first: EntryId, last: EntryId, count: int) -> list[Entry]:
        """What lies between the two, both included."""
        with told_apart():
            found: Any = await self._spool.xrange(
                self._stream, show_id(first), show_id(last), count
            )
        return [Entry(entry_id, fields) for entry_id, fields in found]

    async def read_these(self, entry_ids: Iterable[EntryId]) -> list[Entry]:
        """Those that are still there."""
        with told_apart():
            async with self._spool.pipeline(transaction=False) as pipeline:
                for entry_id in entry_ids:
                    pipeline.xrange(self._stream, show_id(entry_id), show_id(entry_id))
                found: Any = await pipeline.execute()
        return [Entry(entry_id, fields) for one in found for entry_id, fields in one]

    async def delete(self, entries: Iterable[Entry]) -> None:
        """They were kept."""
        with told_apart():
            await self._spool.xdel(self._stream, *[entry.entry_id for entry in entries])

    async def delete_before(self, entry_id: EntryId) -> None:
        """They were kept, and for long enough."""
        with told_apart():
            await self._spool.xtrim(self._stream, minid=show_id(entry_id), approximate=False)

    async def end(self) -> End:
        """How it stands now."""
        with told_apart():
            if not await self._spool.exists(self._stream):
                return End(0, 0, (0, 0))
            found: Any = await self._spool.xinfo_stream(self._stream)
        added = int(found["entries-added"])
        return End(int(found["length"]), added, read_entry_id(found["last-generated-id"]))
