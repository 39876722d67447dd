"""Tells the journals of edges, through the primary, which of their batches the database has.

A number counts when its batch is stored, was given up by the edge, or lies in the quarantine as a
whole entry: whoever sent it again would change nothing.
"""

from collections.abc import Iterable
from functools import partial
from typing import Any

import msgspec
from psycopg import Connection
from redis.asyncio import Redis

from shared.clock import Clock
from shared.heartbeat import DRAIN_FIELD, DrainBeat
from shared.heartbeat import redis_key as heartbeat_key
from shared.stored import AT_FIELD, StoredBoot, encode, field_of, redis_key
from writer.database.session import Session
from writer.ledger.fold import Ranges, read_asides

_EDGES = "SELECT edge FROM edge"
# Of a boot that is long over no journal keeps anything, not even its last word: that it is told no
# more is no loss to it (edge/journal/last_words.py goes by these days).
_STORED = """
SELECT boot, coalesce(b.known, '{}') + coalesce(s.numbers, '{}'), coalesce(b.ended, false)
FROM (
  SELECT boot, stored + void + aside AS known, ended FROM boot
  WHERE edge = %(edge)s AND NOT (ended AND last_heard < now() - interval '3 days')
) b FULL JOIN (
  SELECT boot, range_agg(int8range(seq, seq + 1)) AS numbers FROM batch
  WHERE edge = %(edge)s GROUP BY boot
) s USING (boot)
"""
_ASIDES_VERSION = """
SELECT count(*), max(quarantine_id) FROM quarantine WHERE edge = %s AND digest IS NOT NULL
"""

_drain_beat = msgspec.msgpack.Decoder(DrainBeat)


class StoredRanges:
    """One look a second at the database, for every edge whose drain asks for it."""

    def __init__(self, session: Session, redis: Redis, clock: Clock) -> None:
        self._session = session
        self._redis = redis
        self._clock = clock
        self._asides: dict[str, tuple[Any, dict[int, set[int]]]] = {}

    async def publish(self) -> None:
        """Write what has changed, and that it is fresh."""
        for edge in await self._session.run(_read_edges):
            if await self._has_journal(edge):
                boots = await self._session.run(partial(self._read, edge))
                await self._put(edge, boots)

    async def _has_journal(self, edge: str) -> bool:
        raw: Any = await self._redis.hget(heartbeat_key(edge), DRAIN_FIELD)
        try:
            return raw is not None and _drain_beat.decode(raw).journal
        except msgspec.MsgspecError:
            return False

    def _read(self, edge: str, connection: Connection[Any]) -> dict[int, StoredBoot]:
        # Read first: an entry that is set aside meanwhile is told the next time.
        asides = self._read_asides(edge, connection)
        found = {
            boot: (known, ended)
            for boot, known, ended in connection.execute(_STORED, {"edge": edge})
        }
        nothing: tuple[Ranges, bool] = (Ranges(), False)
        told = {}
        for boot in {*found, *asides}:
            known, ended = found.get(boot, nothing)
            told[boot] = StoredBoot(tuple(_joined(known, asides.get(boot, ()))), ended)
        return told

    def _read_asides(self, edge: str, connection: Connection[Any]) -> dict[int, set[int]]:
        version = connection.execute(_ASIDES_VERSION, (edge,)).fetchone()
        if edge not in self._asides or self._asides[edge][0] != version:
            numbers: dict[int, set[int]] = {}
            for header in read_asides(connection, edge):
                numbers.setdefault(header.boot, set()).add(header.seq)
            self._asides[edge] = version, numbers
        return self._asides[edge][1]

    async def _put(self, edge: str, boots: dict[int, StoredBoot]) -> None:
        fresh = {field_of(boot): encode(stored) for boot, stored in boots.items()}
        fresh[AT_FIELD] = b"%d" % self._clock()
        standing: Any = await self._redis.hgetall(redis_key(edge))
        changed: Any = {
            field: value for field, value in fresh.items() if standing.get(field) != value
        }
        gone = [field for field in standing if field not in fresh]
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(redis_key(edge), mapping=changed)
            if gone:
                pipe.hdel(redis_key(edge), *gone)
            await pipe.execute()


def _read_edges(connection: Connection[Any]) -> list[str]:
    return [edge for (edge,) in connection.execute(_EDGES)]


def _joined(ranges: Ranges, numbers: Iterable[int]) -> list[tuple[int, int]]:
    """(first, last) of all of them, in order and apart."""
    spans = [(part.lower or 0, (part.upper or 0) - 1) for part in ranges]
    joined: list[tuple[int, int]] = []
    for first, last in sorted([*spans, *((number, number) for number in numbers)]):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = joined[-1][0], max(joined[-1][1], last)
        else:
            joined.append((first, last))
    return joined
