"""The journal of an edge, as its drain knows it: which spooled batches the database has. Pure.

Every batch at or before ``sent`` was sent to the primary. Of these the ones in flight are known
one by one; those from ``recheck`` on have yet to be held against what the database has; the
database has all others, and they are kept in the spool for the day it is restored from a backup.
"""

from bisect import bisect_right
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import islice

from shared.stored import StoredBoot

EntryId = tuple[int, int]
"""(ms, sequence) of a stream entry in the spool."""
FIRST: EntryId = (0, 0)
MOST_IN_FLIGHT = 50_000
"""Batches known one by one. With so many ahead of the database nothing more is sent: they are
safe where they are, and memory is bounded, here and at the primary."""
LOOK_AFTER_S = 60.0
_LONGEST_WAIT_S = 3_600.0
_READS = 2
"""The database may have been read before a batch was stored and published after; the second time
that it is published, it was read afterwards."""

Stored = Mapping[int, StoredBoot]
"""What the database has, by boot."""


@dataclass(slots=True)
class Flight:
    """A batch that was sent and is not known to be stored. ``primary_id``: its entry there; None
    where that was forgotten. ``look_at``: when to look whether it is still there, by a monotonic
    clock."""

    boot: int
    seq: int
    primary_id: bytes | None
    look_at: float
    wait_s: float = LOOK_AFTER_S


class Journal:
    """``sent``: up to where everything was sent. ``recheck``: from where on it has to be looked
    through again, None where nothing is in doubt."""

    def __init__(
        self, sent: EntryId = FIRST, recheck: EntryId | None = None, stored: Stored | None = None
    ) -> None:
        self.sent = sent
        self.recheck = recheck
        self._stored: Stored = stored or {}
        self._reads = 0
        # Whether what is found in doubt had been stored before, so that it is nowhere now.
        self._was_stored = False
        self._flights: dict[EntryId, Flight] = {}
        # How often the database had been read when it was not at the primary any more.
        self._missing: dict[EntryId, int] = {}

    @property
    def in_flight(self) -> int:
        """How many are known one by one."""
        return len(self._flights)

    @property
    def has_room(self) -> bool:
        """Whether more may be sent."""
        return len(self._flights) < MOST_IN_FLIGHT

    @property
    def held(self) -> EntryId:
        """The database has everything before it."""
        doubtful = [after(self.sent), *self._flights]
        return min(doubtful if self.recheck is None else [self.recheck, *doubtful])

    def put_sent(self, entry_id: EntryId, flight: Flight | None) -> None:
        """The next entry was sent; None: it says no number by which the database could know it."""
        self.sent = max(self.sent, entry_id)
        if flight is not None:
            self._flights[entry_id] = flight

    def put_checked(self, entry_id: EntryId, number: tuple[int, int] | None, now: float) -> None:
        """An entry that was sent once is looked at again."""
        self.recheck = after(entry_id)
        if number is None or entry_id in self._flights or has(self._stored, *number):
            return
        self._flights[entry_id] = Flight(*number, primary_id=None, look_at=now + LOOK_AFTER_S)
        if self._was_stored:
            self._missing[entry_id] = self._reads - _READS

    def end_recheck(self) -> None:
        """Everything up to ``sent`` was looked at."""
        self.recheck, self._was_stored = None, False

    def settle(self, stored: Stored, kept_words: Collection[int] = ()) -> None:
        """What the database has now. Where that is less than it was, it is an older database, and
        everything is in doubt that was kept for this. ``kept_words``: boots of whose end the core
        is still to be reminded."""
        self._reads += 1
        if went_back(self._stored, stored, kept_words):
            self.recheck, self._was_stored = FIRST, True
        self._stored = stored
        for entry_id in [i for i, f in self._flights.items() if has(stored, f.boot, f.seq)]:
            self.forget(entry_id)

    def doubt(self) -> None:
        """The primary may have lost anything: look for all of them."""
        for flight in self._flights.values():
            flight.look_at = 0.0

    def due(self, now: float) -> list[tuple[EntryId, Flight]]:
        """Those to look for at the primary, because the database should have them by now."""
        return [
            (entry_id, flight)
            for entry_id, flight in self._flights.items()
            if flight.look_at <= now and entry_id not in self._missing
        ]

    def put_looked(self, entry_id: EntryId, *, is_there: bool, now: float) -> None:
        """Where it is not there, it was stored, or is lost: what the database says next tells."""
        flight = self._flights.get(entry_id)
        if flight is not None:
            flight.look_at = now + LOOK_AFTER_S
            if not is_there:
                self._missing[entry_id] = self._reads

    def gone(self, most: int) -> list[EntryId]:
        """Some of those to send again."""
        found = (i for i, reads in self._missing.items() if self._reads - reads >= _READS)
        return sorted(islice(found, most))

    def put_resent(self, entry_id: EntryId, primary_id: bytes, now: float) -> None:
        """It was sent again; should that be in vain, the next time comes later."""
        flight = self._flights.get(entry_id)
        if flight is not None:
            self._missing.pop(entry_id, None)
            flight.primary_id = primary_id
            flight.look_at = now + flight.wait_s
            flight.wait_s = min(flight.wait_s * 2, _LONGEST_WAIT_S)

    def forget(self, entry_id: EntryId) -> None:
        """It is stored; or the spool has lost it, and the ledger will say so."""
        self._flights.pop(entry_id, None)
        self._missing.pop(entry_id, None)

    def start_over(self, last: EntryId) -> None:
        """The spool's stream ends earlier than what was sent of it: what comes now is new, and may
        have ids that were given before."""
        self.sent = min(self.sent, last)
        self.recheck = FIRST


def after(entry_id: EntryId) -> EntryId:
    """The least id that is greater."""
    return entry_id[0], entry_id[1] + 1


def show_id(entry_id: EntryId) -> bytes:
    """As Redis writes it."""
    return b"%d-%d" % entry_id


def has(stored: Stored, boot: int, seq: int) -> bool:
    """Whether a number is in the ranges."""
    return boot in stored and _covers(stored[boot].ranges, (seq, seq))


def went_back(before: Stored, now: Stored, kept_words: Collection[int] = ()) -> bool:
    """Whether anything is missing that was there. The writer tells of a boot for some days after
    its end: longer than its last word is kept, so that silence is a loss only while it is."""
    return any(
        not all(_covers(now.get(boot, StoredBoot()).ranges, span) for span in known.ranges)
        for boot, known in before.items()
        if boot in now or not known.ended or boot in kept_words
    )


def _covers(ranges: tuple[tuple[int, int], ...], span: tuple[int, int]) -> bool:
    at = bisect_right(ranges, span[0], key=lambda one: one[0]) - 1
    return at >= 0 and ranges[at][0] <= span[0] and span[1] <= ranges[at][1]
