"""Counts over the last so many slots of time, by slot and in all."""

from collections import Counter
from collections.abc import Iterator
from heapq import nsmallest


class Window:
    """Counts of keys in the ``slots`` slots up to the current one, and the ``most`` largest.

    Slots are numbered from the epoch. What happens in a slot still to come (a keyed call may run
    ahead) waits until its time; what is older than the window is not kept.
    """

    def __init__(self, slots: int, most: int) -> None:
        self._slots = slots
        self._most = most
        self._now = 0
        self._by_slot: dict[int, Counter[str]] = {}
        self._total: Counter[str] = Counter()
        self._largest: set[str] = set()
        self._is_ranked = True

    def add(self, slot: int, key: str, times: int = 1) -> None:
        """Count ``key`` in ``slot``, which may lie in the past."""
        if slot <= self._now - self._slots:
            return
        self._by_slot.setdefault(slot, Counter())[key] += times
        if slot <= self._now:
            self._total[key] += times
            self._consider(key)

    def drop(self, slot: int, key: str) -> None:
        """Take one count of ``key`` in ``slot`` back, if it stands here."""
        counts = self._by_slot.get(slot, Counter())
        if not counts[key]:
            return
        _count_down(counts, key)
        if not counts:
            del self._by_slot[slot]
        if slot <= self._now:
            _count_down(self._total, key)
            self._is_ranked = False

    def merge(self, other: "Window") -> None:
        """Add all that ``other`` holds."""
        for slot, counts in other._by_slot.items():
            for key, count in counts.items():
                self.add(slot, key, count)

    def advance(self, now: int) -> None:
        """Make ``now`` the current slot; it never runs back."""
        if now <= self._now:
            return
        before, self._now = self._now, now
        for slot in list(self._by_slot):
            if before < slot <= now:
                self._total.update(self._by_slot[slot])
            if slot <= now - self._slots:
                self._total -= self._by_slot.pop(slot)
        self._rank_anew()

    def by_slot(self) -> Iterator[tuple[int, int]]:
        """(slot, count of all its keys) of the window, in no order."""
        for slot, counts in self._by_slot.items():
            if slot <= self._now:
                yield slot, counts.total()

    def largest(self) -> list[tuple[str, int]]:
        """The largest keys with their counts; ties go to the lesser key."""
        if not self._is_ranked:
            self._rank_anew()
        return [(key, self._total[key]) for key in sorted(self._largest, key=self._rank)]

    def _rank_anew(self) -> None:
        self._largest = set(nsmallest(self._most, self._total, key=self._rank))
        self._is_ranked = True

    def _consider(self, key: str) -> None:
        """Between two slots counts only grow, so that only ``key`` can have come among the
        largest: a site with many pages is not sorted at every frame."""
        self._largest.add(key)
        if len(self._largest) > self._most:
            self._largest.remove(max(self._largest, key=self._rank))

    def _rank(self, key: str) -> tuple[int, str]:
        return -self._total[key], key


def _count_down(counts: Counter[str], key: str) -> None:
    counts[key] -= 1
    if not counts[key]:
        del counts[key]
