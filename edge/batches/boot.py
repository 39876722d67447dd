"""One start of a worker: the numbers it gave its batches, and where each stands. Pure."""

from collections import deque
from typing import NamedTuple

from edge.batches.runs import Run, Runs
from shared.stream_state import read_entry_id

MAX_VOIDS_TOLD = 500
"""Most void numbers in one batch; the rest follow with the next."""
MAX_VOID_RUNS = 4_096
"""Beyond it the oldest run is forgotten: where no heartbeat has told it to the core, the ledger
calls its numbers lost, though nobody was told that they are stored. Never the other way."""


class Spooled(NamedTuple):
    """A batch in the spool: its number, its entry there, and when its first beacon was received."""

    seq: int
    entry_id: tuple[int, int]
    oldest_at: int


class Boot:
    """``id``: 48 random bits. Numbers are 1, 2, 3…; one that was sent is never used again."""

    def __init__(self, boot_id: int) -> None:
        self.id = boot_id
        self.last_seq = 0
        self.last_acked = 0
        self._voids = Runs(MAX_VOID_RUNS)
        self._untold = Runs(MAX_VOID_RUNS)
        self._settled = 0
        self._spooled: deque[Spooled] = deque()

    @property
    def low(self) -> int:
        """This boot holds nothing at or below it, in memory or in the spool."""
        return self._spooled[0].seq - 1 if self._spooled else self._settled

    @property
    def has_spooled(self) -> bool:
        """Whether a batch of this boot may still be in the spool."""
        return bool(self._spooled)

    @property
    def voids(self) -> tuple[Run, ...]:
        """Every number given up."""
        return tuple(self._voids)

    @property
    def untold_voids(self) -> tuple[int, ...]:
        """Numbers given up that no acknowledged batch has named yet, as many as one may name."""
        return self._untold.first(MAX_VOIDS_TOLD)

    def low_time(self, now: int, oldest_in_memory: int | None) -> int:
        """Nothing received before it lies above ``low``."""
        held = [now]
        if oldest_in_memory is not None:
            held.append(oldest_in_memory)
        if self._spooled:
            held.append(self._spooled[0].oldest_at)
        return min(held)

    def next_seq(self) -> int:
        """The number of the batch about to be sent."""
        self.last_seq += 1
        return self.last_seq

    def at_primary(self, seq: int, told: int) -> None:
        """Acknowledged there; it named the first ``told`` of the untold voids."""
        self._acked(seq, told)

    def at_spool(self, seq: int, entry_id: bytes, oldest_at: int, told: int) -> None:
        """Acknowledged there; it stays until the drain has passed its entry."""
        self._acked(seq, told)
        self._spooled.append(Spooled(seq, read_entry_id(entry_id), oldest_at))

    def gave_up(self, seq: int) -> None:
        """Answered with a 503: should it land all the same, it is stored, and nothing is owed."""
        self._settled = seq
        self._voids.add(seq)
        self._untold.add(seq)

    @property
    def newest_spooled(self) -> int:
        """The highest number that may still be in the spool, else 0."""
        return self._spooled[-1].seq if self._spooled else 0

    def drained_before(self, first_entry_id: bytes | None, newest: int) -> None:
        """The spool's stream begins with this entry, or is empty: it is drained in order.
        ``newest``: ``newest_spooled`` before it was asked; what came later it may not have seen."""
        first = None if first_entry_id is None else read_entry_id(first_entry_id)
        while self._spooled and self._spooled[0].seq <= newest:
            if first is not None and self._spooled[0].entry_id >= first:
                return
            self._spooled.popleft()

    def _acked(self, seq: int, told: int) -> None:
        self._settled = self.last_acked = seq
        self._untold.drop_first(told)
