"""What the edges say of themselves, once a second, written beside what the writer stored."""

import logging
from collections.abc import Iterable, Mapping
from functools import partial
from hashlib import blake2b
from typing import Any

import msgspec
import psycopg
from psycopg import Connection
from redis.asyncio import Redis

from shared.heartbeat import DRAIN_FIELD, BootBeat, DrainBeat, redis_key
from writer.session import Session
from writer.zones import moment

log = logging.getLogger("writer")

_EDGES = "SELECT edge FROM edge"
_HEARD = "UPDATE edge SET last_heard = greatest(last_heard, %s) WHERE edge = %s"
_SPOOLED = """
UPDATE edge SET spooled_batches = %s, spooled_bytes = %s, oldest_spooled_at = %s WHERE edge = %s
"""
_BOOT = """
INSERT INTO boot AS b
  (edge, boot, void, low, low_time, last_acked, clock_offset_us, last_heard, ended)
VALUES (%s, %s, %s::int8multirange, %s, %s, %s, %s, %s, %s)
ON CONFLICT (edge, boot) DO UPDATE SET
  void = b.void + excluded.void,
  low = greatest(b.low, excluded.low),
  low_time = greatest(b.low_time, excluded.low_time),
  last_acked = greatest(b.last_acked, excluded.last_acked),
  clock_offset_us = excluded.clock_offset_us,
  last_heard = greatest(b.last_heard, excluded.last_heard),
  ended = b.ended OR excluded.ended
"""
_COUNT = """
INSERT INTO edge_count AS c (edge, boot, site_digest, outcome, site, events)
VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (edge, boot, site_digest, outcome)
DO UPDATE SET events = greatest(c.events, excluded.events)
"""

_boot_beat = msgspec.msgpack.Decoder(BootBeat)
_drain_beat = msgspec.msgpack.Decoder(DrainBeat)


class Ledger:
    """Copies heartbeats from the primary into the database."""

    def __init__(self, session: Session, redis: Redis) -> None:
        self._session = session
        self._redis = redis
        self._counted: dict[tuple[str, int], dict[str, dict[str, int]]] = {}

    async def copy_heartbeats(self) -> None:
        """One look at every registered edge."""
        edges = await self._session.run(
            lambda connection: [edge for (edge,) in connection.execute(_EDGES)]
        )
        for edge in edges:
            raw: Any = await self._redis.hgetall(redis_key(edge))
            if raw:
                await self._session.run(partial(self._put, edge, raw))

    def _put(self, edge: str, raw: Mapping[bytes, bytes], connection: Connection[Any]) -> None:
        boots, drain = read_beats(edge, raw)
        try:
            with connection.transaction():
                heard = [beat.at for beat in boots.values()] + ([drain.at] if drain else [])
                if heard:
                    connection.execute(_HEARD, (moment(max(heard)), edge))
                if drain is not None:
                    _put_drain(connection, edge, drain)
                for boot, beat in boots.items():
                    self._put_boot(connection, edge, boot, beat)
        except (psycopg.DataError, OverflowError) as error:
            log.warning("heartbeats of edge %r cannot be stored: %s", edge, type(error).__name__)

    def _put_boot(self, connection: Connection[Any], edge: str, boot: int, beat: BootBeat) -> None:
        void = _multirange(beat.void)
        low_time, at = moment(beat.low_time), moment(beat.at)
        values = (edge, boot, void, beat.low, low_time, beat.last_acked)
        connection.execute(_BOOT, (*values, beat.clock_offset_us, at, beat.ended))
        known = self._counted.get((edge, boot), {})
        changed = [
            (edge, boot, _digest(site), outcome, site.replace("\0", "\ufffd"), events)
            for site, outcomes in sorted(beat.counts.items())
            for outcome, events in sorted(outcomes.items())
            if known.get(site, {}).get(outcome) != events
        ]
        if changed:
            connection.cursor().executemany(_COUNT, changed)
        self._counted[edge, boot] = beat.counts


def read_beats(
    edge: str, raw: Mapping[bytes, bytes]
) -> tuple[dict[int, BootBeat], DrainBeat | None]:
    """The heartbeats of an edge by boot, and its drain's. What cannot be read is left out."""
    boots: dict[int, BootBeat] = {}
    drain: DrainBeat | None = None
    for field, value in raw.items():
        try:
            if field == DRAIN_FIELD.encode():
                drain = _drain_beat.decode(value)
            else:
                boots[int(field, 16)] = _boot_beat.decode(value)
        except (msgspec.MsgspecError, ValueError):
            log.warning("a heartbeat of edge %r cannot be read", edge)
    return boots, drain


def _put_drain(connection: Connection[Any], edge: str, drain: DrainBeat) -> None:
    oldest = None if drain.oldest_at is None else moment(drain.oldest_at)
    connection.execute(_SPOOLED, (drain.batches, drain.bytes, oldest, edge))


def _multirange(numbers: Iterable[int]) -> str:
    return "{" + ",".join(f"[{number},{number}]" for number in numbers) + "}"


def _digest(site: str) -> bytes:
    return blake2b(site.encode("utf-8", "replace"), digest_size=16).digest()
