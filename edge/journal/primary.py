"""The primary as the journal sees it: which server it is, what it still has, what it was told."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from redis.asyncio import Redis

from edge.journal.journal import FIRST, EntryId, Flight
from shared.batch import DamagedBatch, read_header
from shared.heartbeat import redis_key as heartbeat_key
from shared.stored import Told, read_told, redis_key
from shared.stream_state import read_entry_id


class Standing(NamedTuple):
    """``identity``: replication id and life of the server, which change with every restart and
    every promotion. ``last``: the greatest id of the edge's stream."""

    identity: bytes
    last: EntryId
    told: Told


class JournalPrimary:
    """Every method raises RedisError, OSError."""

    def __init__(self, primary: Redis, edge: str) -> None:
        self._primary = primary
        self._stream = f"ingest:{edge}"
        self._told_key = redis_key(edge)
        self._beats_key = heartbeat_key(edge)

    async def look(self) -> Standing:
        """How it stands now."""
        replication = await self._primary.info("replication")
        server = await self._primary.info("server")
        identity = f"{replication.get('master_replid')} {server.get('run_id')}".encode()
        raw: Any = await self._primary.hgetall(self._told_key)
        return Standing(identity, await self._last(), _read_told(raw))

    async def find_missing(self, flights: Sequence[Flight]) -> list[bool]:
        """For each whether its entry is not there any more, or was never known. A server that was
        restored may have given an entry's id to another."""
        async with self._primary.pipeline(transaction=False) as pipeline:
            for flight in flights:
                entry_id = flight.primary_id or b"0-0"
                pipeline.xrange(self._stream, entry_id, entry_id)
            found: Any = await pipeline.execute()
        return [not _is_it(one, flight) for one, flight in zip(found, flights, strict=True)]

    async def put_words(self, words: Mapping[int, bytes]) -> None:
        """Last heartbeats of boots that are over."""
        if words:
            fields: Any = {f"{boot:012x}": word for boot, word in words.items()}
            await self._primary.hset(self._beats_key, mapping=fields)

    async def _last(self) -> EntryId:
        if not await self._primary.exists(self._stream):
            return FIRST
        found: Any = await self._primary.xinfo_stream(self._stream)
        return read_entry_id(found["last-generated-id"])


def number_of(fields: dict[bytes, bytes]) -> tuple[int, int] | None:
    """(boot, seq) as an entry says it; None where it says none."""
    try:
        header = read_header(fields)
    except DamagedBatch:
        return None
    return header.boot, header.seq


def _is_it(found: list[tuple[bytes, dict[bytes, bytes]]], flight: Flight) -> bool:
    return bool(found) and number_of(found[0][1]) == (flight.boot, flight.seq)


def _read_told(raw: dict[bytes, bytes]) -> Told:
    try:
        return read_told(raw)
    except ValueError:
        return Told()
