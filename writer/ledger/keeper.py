"""What the edges say of themselves, once a second, written beside what the writer stored; and
whether all they have acknowledged is there.

A number at or below ``low`` left its edge for the primary before the edge could say so. Where the
database does not know it, it waits in the stream, or it is lost. So a hole is held against the last
id that the stream gave out when the hole was noticed: once the oldest entry is past that id,
everything the stream held then is committed, and a hole that is still there is a loss.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import psycopg
from psycopg import Connection
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from shared.heartbeat import BootBeat, redis_key
from shared.stream_state import EntryId, read_entry_id
from writer.database.session import Session
from writer.known.sites import SiteBook, read_sites
from writer.known.zones import moment
from writer.ledger.beats import Beats, Counts, Fresh, field_of
from writer.ledger.counts import site_digest
from writer.ledger.fold import (
    Hole,
    fold_batches,
    read_holes,
    settle_holes,
    show_edges,
    up_to,
)
from writer.ledger.not_counted import Told, note_not_counted
from writer.stream import stream_key

log = logging.getLogger("writer")

_EDGES = "SELECT edge FROM edge"
_HEARD = "UPDATE edge SET last_heard = greatest(last_heard, %s) WHERE edge = %s"
# A retired edge that is heard again has returned, and is waited for like any other.
_RETURNED = """
UPDATE edge SET retired_at = NULL WHERE edge = %s AND last_heard > retired_at RETURNING edge
"""
# What was final stays so: a hole comes with a low_time that says nothing yet.
_FINAL = """
UPDATE boot b SET final_until = greatest(final_until, low_time)
WHERE edge = %s AND final_until IS DISTINCT FROM low_time
  AND (stored + void + aside + accepted
    + coalesce((SELECT range_agg(int8range(seq, seq + 1)) FROM batch s
    WHERE s.edge = b.edge AND s.boot = b.boot AND s.seq <= b.low), '{}'))
    @> int8range(1, low + 1)
"""
_SPOOLED = """
UPDATE edge SET spooled_batches = %s, spooled_bytes = %s, oldest_spooled_at = %s WHERE edge = %s
"""
_BOOT = """
INSERT INTO boot AS b
  (edge, boot, void, low, low_time, last_acked, clock_offset_us, last_heard, ended, counted_to)
VALUES (%s, %s, %s::int8multirange, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (edge, boot) DO UPDATE SET
  void = b.void + excluded.void,
  low = greatest(b.low, excluded.low),
  low_time = greatest(b.low_time, excluded.low_time),
  last_acked = greatest(b.last_acked, excluded.last_acked),
  clock_offset_us = excluded.clock_offset_us,
  last_heard = greatest(b.last_heard, excluded.last_heard),
  ended = b.ended OR excluded.ended,
  counted_to = greatest(b.counted_to, excluded.counted_to)
"""
_COUNT = """
INSERT INTO edge_count AS c (edge, boot, site_digest, outcome, site, events)
VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (edge, boot, site_digest, outcome)
DO UPDATE SET events = greatest(c.events, excluded.events)
"""
# Nothing more can come of it, and nothing of it is missing.
_OVER = """
SELECT boot FROM boot b
WHERE edge = %s AND boot = ANY(%s) AND ended AND low >= last_acked AND lost = '{}'
  AND stored + void + aside + accepted @> int8range(1, low + 1)
  AND NOT EXISTS (SELECT FROM batch s WHERE s.edge = b.edge AND s.boot = b.boot)
"""


class Watch(NamedTuple):
    """Holes seen while the stream's last id was ``last_id``; ``lows``: how far, by boot."""

    last_id: EntryId
    lows: dict[int, int]


class Ledger:
    """Copies heartbeats from the primary into the database, folds batches, finds losses."""

    def __init__(self, session: Session, redis: Redis) -> None:
        self._session = session
        self._redis = redis
        self._beats: dict[str, Beats] = {}
        self._watches: dict[str, Watch] = {}
        self._connections = 0
        self._book = SiteBook()

    async def copy_heartbeats(self) -> None:
        """One look at every registered edge."""
        edges = await self._session.run(self._look)
        if self._session.connections != self._connections:
            # It may have come back restored from a backup, without what it was told since.
            self._connections = self._session.connections
            self._beats.clear()
        for edge in edges:
            raw: Any = await self._redis.hgetall(redis_key(edge))
            if raw:
                await self._copy(edge, raw)

    def _look(self, connection: Connection[Any]) -> list[str]:
        """The edges, and the sites as of now."""
        self._book = read_sites(connection, self._book)
        return [edge for (edge,) in connection.execute(_EDGES)]

    async def _copy(self, edge: str, raw: Mapping[bytes, bytes]) -> None:
        beats = self._beats.setdefault(edge, Beats(edge))
        fresh = beats.look(raw)
        await self._session.run(partial(_put, edge, fresh, beats, self._book))
        beats.written(fresh)
        if outdated := beats.outdated():
            over = await self._session.run(partial(_read_over, edge, outdated))
            if over:
                # Whoever tells it again after this tells nothing new, and it goes again.
                await self._redis.hdel(redis_key(edge), *map(field_of, over))

    async def look_for_losses(self) -> None:
        """Fold what is settled, and hold every hole against its stream."""
        await self._session.run(fold_batches)
        passed = [edge for edge, watch in self._watches.items() if await self._is_past(edge, watch)]
        # Read after the streams: what left one meanwhile is in the database by now.
        holes = await self._session.run(read_holes)
        for edge in passed:
            lows = self._watches.pop(edge).lows
            seen = [up_to(hole, lows[hole.boot]) for hole in _of(holes, edge) if hole.boot in lows]
            await self._session.run(partial(settle_holes, edge=edge, holes=seen))
        for edge in sorted({hole.edge for hole in holes} - set(self._watches)):
            lows = {hole.boot: hole.low for hole in _of(holes, edge)}
            self._watches[edge] = Watch(await self._last_id(edge), lows)
        await self._session.run(show_edges)

    async def _is_past(self, edge: str, watch: Watch) -> bool:
        oldest: Any = await self._redis.xrange(stream_key(edge), count=1)
        return not oldest or read_entry_id(oldest[0][0]) > watch.last_id

    async def _last_id(self, edge: str) -> EntryId:
        try:
            found: Any = await self._redis.xinfo_stream(stream_key(edge))
        except ResponseError:
            return 0, 0
        return read_entry_id(found["last-generated-id"])


def _put(
    edge: str, fresh: Fresh, beats: Beats, book: SiteBook, connection: Connection[Any]
) -> None:
    """What has changed, in one transaction; where no column can hold one of them, each alone."""
    try:
        with connection.transaction():
            _put_together(connection, edge, fresh, beats, book)
    except (psycopg.DataError, OverflowError):
        for one in _each(fresh):
            with _forgiving(edge), connection.transaction():
                _put_together(connection, edge, one, beats, book)
    with connection.transaction():
        connection.execute(_FINAL, (edge,))
        returned = connection.execute(_RETURNED, (edge,)).fetchone()
    if returned:
        log.warning("edge %s was retired and is heard again: it is waited for", edge)


def _each(fresh: Fresh) -> Iterator[Fresh]:
    for boot, beat in fresh.boots.items():
        yield Fresh({}, {boot: beat}, None)
    if fresh.drain is not None:
        yield Fresh({}, {}, fresh.drain)


def _put_together(
    connection: Connection[Any], edge: str, fresh: Fresh, beats: Beats, book: SiteBook
) -> None:
    cursor, boots = connection.cursor(), sorted(fresh.boots.items())
    heard = [beat.at for _, beat in boots] + ([fresh.drain.at] if fresh.drain else [])
    if heard:
        cursor.execute(_HEARD, (moment(max(heard)), edge))
    if fresh.drain is not None:
        oldest = fresh.drain.oldest_at
        since = None if oldest is None else moment(oldest)
        cursor.execute(_SPOOLED, (fresh.drain.batches, fresh.drain.bytes, since, edge))
    # In one order, lest two writers wait for each other.
    if rows := [_boot_row(edge, boot, beat) for boot, beat in boots]:
        cursor.executemany(_BOOT, rows)
    counts = [
        Told(boot, *count)
        for boot, beat in boots
        for count in _changed(beats.counts_of(boot), beat.counts)
    ]
    if counts:
        cursor.executemany(_COUNT, [(edge, *count) for count in counts])
        told_at = {boot: beat.at for boot, beat in boots}
        note_not_counted(cursor, edge, counts, told_at, book)


def _boot_row(edge: str, boot: int, beat: BootBeat) -> tuple[object, ...]:
    void = _multirange(beat.void)
    low_time, at = moment(beat.low_time), moment(beat.at)
    values = (edge, boot, void, beat.low, low_time, beat.last_acked)
    return (*values, beat.clock_offset_us, at, beat.ended, beat.counted_to)


def _changed(known: Counts, told: Counts) -> Iterator[tuple[bytes, str, str, int]]:
    for site, outcomes in sorted(told.items()):
        for outcome, events in sorted(outcomes.items()):
            if known.get(site, {}).get(outcome) != events:
                name = site.replace("\0", "\ufffd")
                yield site_digest(site), outcome, name, events


def _read_over(edge: str, boots: list[int], connection: Connection[Any]) -> list[int]:
    return [boot for (boot,) in connection.execute(_OVER, (edge, boots))]


@contextmanager
def _forgiving(edge: str) -> Iterator[None]:
    try:
        yield
    except (psycopg.DataError, OverflowError) as error:
        log.warning("a heartbeat of edge %r cannot be stored: %s", edge, type(error).__name__)


def _of(holes: Iterable[Hole], edge: str) -> list[Hole]:
    return [hole for hole in holes if hole.edge == edge]


def _multirange(runs: Iterable[tuple[int, int]]) -> str:
    return "{" + ",".join(f"[{first},{last}]" for first, last in runs) + "}"
