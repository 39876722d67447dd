"""The drain of an edge with a journal: sends what is spooled at once, and again when it got lost.

A batch stays in the spool until the writer has told that the database has it, and a day longer.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from itertools import islice

from redis.asyncio import Redis

from edge.batches.runs import Run
from edge.journal.journal import FIRST, LOOK_AFTER_S, EntryId, Flight, Journal
from edge.journal.last_words import LastWords
from edge.journal.notes import NoteBook, Notes
from edge.journal.primary import JournalPrimary, Standing, number_of
from edge.journal.spool import End, JournalSpool
from edge.spool.sending import send, slices
from edge.spool.stream import Entry, Extent
from shared import failpoints
from shared.clock import US_PER_MS
from shared.metrics import DRAINED_BATCHES, JOURNAL_RESENT_BATCHES
from shared.stored import StoredBoot
from shared.stream_state import read_entry_id

_log = logging.getLogger("edge.drain")
_PAGE = 500
_IDLE_S = 0.1
_MS_PER_H = 3_600_000
_KEPT_PART = 4
"""The kept batches go, the oldest first, when the spool is fuller than this part of its bound."""


class JournalDrain:
    """Use ``step`` and ``look`` only after ``recall``, and ``look`` about once a second."""

    def __init__(
        self, primary: Redis, looking: Redis, spool: Redis, reader: Redis, edge: str, keep_h: int
    ) -> None:
        self._sending = primary
        self._stream = f"ingest:{edge}"
        self._primary = JournalPrimary(looking, edge)
        self._spool = JournalSpool(spool, reader, edge)
        self._book = NoteBook(spool, edge)
        self._words = LastWords(spool, edge, keep_h)
        self._keep_ms = keep_h * _MS_PER_H
        self._journal = Journal()
        self._notes = Notes()
        self._ordinal = 0
        self._told_at: bytes | None = None
        self._dead: dict[int, EntryId] = {}
        self._last = FIRST
        self.drained = 0
        self.kept = 0

    async def recall(self) -> None:
        """Go on from the notes. Raises SpoolAway."""
        await self._words.recall()
        notes = self._notes = await self._book.read()
        end = await self._spool.end()
        recheck = notes.held if notes.held <= notes.sent else None
        self._journal = Journal(notes.sent, recheck, notes.stored)
        self._ordinal = end.added - end.length if notes.ordinal is None else notes.ordinal

    async def step(self, batches: int, *, prove: bool) -> float:
        """Send some; how long that took in seconds, 0 when there was nothing to do. Raises what
        AWAY names."""
        gone = self._journal.gone(batches)
        if gone:
            began = time.monotonic()
            await self._send_again(gone, prove=prove)
            return time.monotonic() - began
        if not self._journal.has_room:
            await asyncio.sleep(_IDLE_S)
            return 0.0
        if self._journal.recheck is not None:
            await self._recheck(self._journal.recheck)
        block = self._journal.recheck is None
        entries = await self._spool.read_new(self._journal.sent, batches, block=block)
        began = time.monotonic()
        for part in slices(entries):
            await self._send_new(part, prove=prove)
        return time.monotonic() - began if entries else 0.0

    async def look(self) -> None:
        """What the database has, what the primary has lost, what need not be kept. Raises what AWAY
        names."""
        standing = await self._primary.look()
        if standing.identity != self._notes.primary or standing.last < self._notes.last:
            self._doubt_all(standing)
        await self._find_missing()
        if standing.told.at not in (b"", self._told_at):
            self._journal.settle(standing.told.boots, self._words.boots)
            self._told_at = standing.told.at
            self._notes = self._noted(standing, standing.told.boots)
        else:
            self._notes = self._noted(standing, self._notes.stored)
        await self._book.write(self._notes)

    async def trim(self) -> None:
        """Let go of what was kept for long enough. Raises SpoolAway."""
        day = (time.time_ns() // 1_000_000 - self._keep_ms, 0)
        await self._spool.delete_before(min(day, self._journal.held))
        await self._words.trim(self.is_closed)
        failpoints.reach("trimmed")

    async def make_room(self, extent: Extent) -> bool:
        """Let go of some of what is kept where the spool is short of room; False: it is not, or
        nothing is kept any more. Raises SpoolAway."""
        bound = extent.bytes + extent.headroom_bytes
        if extent.bytes * _KEPT_PART <= bound or self._journal.held == FIRST:
            return False
        ms, sequence = self._journal.held
        before = (ms, sequence - 1) if sequence else (ms - 1, 2**64 - 1)
        kept = await self._spool.read_from(FIRST, before, _PAGE)
        if kept:
            await self._spool.delete(kept)
        return bool(kept)

    async def measure(self, whole: Extent) -> Extent:
        """Of the whole spool the part that waits for the database. Raises SpoolAway."""
        end = await self._spool.end()
        self._last = end.last
        if end.last < self._journal.sent:
            self._start_over(end)
        unsent = max(0, end.added - self._ordinal)
        waiting = min(end.length, self._journal.in_flight + unsent)
        kept = end.length - waiting
        self.kept = kept
        kept_bytes = whole.bytes * kept // (end.length or 1)
        oldest = await self._oldest_at() if waiting else None
        return Extent(waiting, whole.bytes - kept_bytes, whole.headroom_bytes + kept_bytes, oldest)

    def may_close(self, boot: int) -> bool:
        """Whether the database has all of a boot that is over: all that the spool held when this
        was first asked. Ask after ``measure``."""
        return self._journal.held > self._dead.setdefault(boot, self._last)

    def is_closed(self, boot: int) -> bool:
        """Whether the database knows that the boot is over."""
        known = self._notes.stored.get(boot)
        if known is None or not known.ended:
            return False
        self._dead.pop(boot, None)
        return True

    def is_kept(self, boot: int) -> bool:
        """Whether ``remind`` will tell the core of its end."""
        return boot in self._words.boots

    def stored(self, boot: int) -> tuple[Run, ...]:
        """The numbers of a boot that the database has."""
        return self._notes.stored.get(boot, StoredBoot()).ranges

    async def keep(self, boot: int, word: bytes) -> bool:
        """The last word about a boot; False: the spool has no room for it. Raises SpoolAway."""
        return await self._words.keep(boot, word)

    async def remind(self) -> None:
        """Tell the last words again about boots that the database has and does not know to be
        over, as one that was restored. Ask after ``look``. Raises what AWAY names."""
        open_ = [boot for boot in self._words.boots if not self.is_closed(boot)]
        due = [boot for boot in open_ if self.may_close(boot)]
        if due:
            await self._primary.put_words(await self._words.read(due))

    async def _recheck(self, first: EntryId) -> None:
        entries = await self._spool.read_from(first, self._journal.sent, _PAGE)
        if self._journal.recheck != first:
            return  # Everything was put in doubt meanwhile.
        now = time.monotonic()
        for entry in entries:
            self._journal.put_checked(read_entry_id(entry.entry_id), number_of(entry.fields), now)
        if len(entries) < _PAGE:
            self._journal.end_recheck()

    async def _send_new(self, part: Sequence[Entry], *, prove: bool) -> None:
        primary_ids = await send(self._sending, self._stream, part, prove=prove)
        failpoints.reach("drained")
        look_at = time.monotonic() + LOOK_AFTER_S
        for entry, primary_id in zip(part, primary_ids, strict=True):
            number = number_of(entry.fields)
            flight = None if number is None else Flight(*number, primary_id, look_at)
            self._journal.put_sent(read_entry_id(entry.entry_id), flight)
        self._ordinal += len(part)
        self._count(part)

    async def _send_again(self, gone: Sequence[EntryId], *, prove: bool) -> None:
        entries = await self._spool.read_these(gone)
        there = {read_entry_id(entry.entry_id) for entry in entries}
        for entry_id in set(gone) - there:
            self._journal.forget(entry_id)
        for part in slices(entries):
            primary_ids = await send(self._sending, self._stream, part, prove=prove)
            now = time.monotonic()
            for entry, primary_id in zip(part, primary_ids, strict=True):
                self._journal.put_resent(read_entry_id(entry.entry_id), primary_id, now)
            JOURNAL_RESENT_BATCHES.inc(len(part))
            self._count(part)

    def _count(self, part: Sequence[Entry]) -> None:
        self.drained += len(part)
        DRAINED_BATCHES.inc(len(part))

    async def _find_missing(self) -> None:
        now = time.monotonic()
        due = iter(self._journal.due(now))
        while page := list(islice(due, _PAGE)):
            missing = await self._primary.find_missing([flight for _, flight in page])
            for (entry_id, _), is_missing in zip(page, missing, strict=True):
                self._journal.put_looked(entry_id, is_there=not is_missing, now=now)

    def _doubt_all(self, standing: Standing) -> None:
        if self._notes.primary:
            _log.warning("the primary is another one or has started anew: looking for what it lost")
        self._journal.doubt()
        # A replica may tell what was long ago: believed is what is told from now on.
        self._told_at = standing.told.at

    def _start_over(self, end: End) -> None:
        _log.error("the spool ends before what was sent of it: it has lost entries")
        self._journal.start_over(end.last)
        self._ordinal = end.added

    def _noted(self, standing: Standing, stored: dict[int, StoredBoot]) -> Notes:
        sent, held = self._journal.sent, self._journal.held
        return Notes(sent, held, self._ordinal, standing.identity, standing.last, stored)

    async def _oldest_at(self) -> int | None:
        found = await self._spool.read_from(self._journal.held, (2**63, 0), 1)
        return read_entry_id(found[0].entry_id)[0] * US_PER_MS if found else None
