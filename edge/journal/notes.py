"""What the journal must know after a restart of the drain: a hash in the spool."""

from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError

from edge.journal.journal import FIRST, EntryId, show_id
from edge.spool.first_waiting import HELD, journal_key
from edge.spool.stream import told_apart
from shared.stored import StoredBoot
from shared.stream_state import read_entry_id

_stored = msgspec.msgpack.Decoder(dict[int, StoredBoot])


class Notes(msgspec.Struct, frozen=True):
    """``sent``, ``held``: as in the journal. ``ordinal``: how many entries the spool's stream was
    given up to ``sent``; None where that has to be found out. ``primary``: which server it was sent
    to, in which life; ``last``: the greatest id of the stream there. ``stored``: what the database
    had."""

    sent: EntryId = FIRST
    held: EntryId = FIRST
    ordinal: int | None = None
    primary: bytes = b""
    last: EntryId = FIRST
    stored: dict[int, StoredBoot] = {}


class NoteBook:
    """Every method raises SpoolAway."""

    def __init__(self, spool: Redis, edge: str) -> None:
        self._spool = spool
        self._key = journal_key(edge)

    async def read(self) -> Notes:
        """As last written; where nothing is, nothing was sent."""
        with told_apart():
            raw: Any = await self._spool.hgetall(self._key)
        if b"sent" not in raw:
            return Notes()
        return Notes(
            read_entry_id(raw[b"sent"]),
            read_entry_id(raw[HELD.encode()]),
            int(raw[b"ordinal"]),
            raw[b"primary"],
            read_entry_id(raw[b"last"]),
            _stored.decode(raw[b"stored"]),
        )

    async def write(self, notes: Notes) -> None:
        """In one step. A full spool takes no notes: then more is sent again after a restart."""
        mapping: Any = {
            "sent": show_id(notes.sent),
            HELD: show_id(notes.held),
            "ordinal": notes.ordinal or 0,
            "primary": notes.primary,
            "last": show_id(notes.last),
            "stored": msgspec.msgpack.encode(notes.stored),
        }
        with told_apart():
            try:
                await self._spool.hset(self._key, mapping=mapping)
            except OutOfMemoryError:
                return

    async def remove(self) -> None:
        """There is no journal any more."""
        with told_apart():
            await self._spool.delete(self._key)
