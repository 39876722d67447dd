"""Counts over the last so many slots of time, by slot and in all."""

from collections import Counter
from collections.abc import Iterator
from heapq import nsmallest


class Window:
    """Counts of keys in the ``slots`` slots up to the current one.

    Slots are numbered from the epoch. What happens in a slot still to come (a keyed call may run
    ahead) waits until its time; what is older than the window is not kept.
    """

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._now = 0
        self._by_slot: dict[int, Counter[str]] = {}
        self._total: Counter[str] = Counter()

    def add(self, slot: int, key: str) -> None:
        """Count ``key`` once in ``slot``, which may lie in the past."""
        if slot <= self._now - self._slots:
            return
        self._by_slot.setdefault(slot, Counter())[key] += 1
        if slot <= self._now:
            self._total[key] += 1

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

    def by_slot(self) -> Iterator[tuple[int, int]]:
        """(slot, count of all its keys) of the window, in no order."""
        for slot, counts in self._by_slot.items():
            if slot <= self._now:
                yield slot, counts.total()

    def largest(self, most: int) -> list[tuple[str, int]]:
        """The ``most`` largest keys with their counts; ties go to the lesser key."""
        return nsmallest(most, self._total.items(), key=lambda item: (-item[1], item[0]))
