"""Sets of numbers as runs: an outage of hours is one pair, where single numbers would be many."""

from collections import deque
from collections.abc import Iterable, Iterator

Run = tuple[int, int]
"""(first, last), both in it."""


class Runs:
    """Numbers that only grow; at most ``most`` runs, of which the oldest is forgotten first."""

    def __init__(self, most: int) -> None:
        self._runs: deque[Run] = deque(maxlen=most)

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs)

    def add(self, number: int) -> None:
        """A number above all others."""
        if self._runs and self._runs[-1][1] == number - 1:
            self._runs[-1] = (self._runs[-1][0], number)
        else:
            self._runs.append((number, number))

    def first(self, count: int) -> tuple[int, ...]:
        """The lowest numbers, as many as that."""
        found: list[int] = []
        for begin, end in self._runs:
            found += range(begin, min(end, begin + count - len(found) - 1) + 1)
            if len(found) == count:
                break
        return tuple(found)

    def drop_first(self, count: int) -> None:
        """Forget the lowest numbers, as many as that."""
        while count and self._runs:
            begin, end = self._runs.popleft()
            if end - begin + 1 > count:
                self._runs.appendleft((begin + count, end))
                return
            count -= end - begin + 1


def merge(runs: Iterable[Run]) -> tuple[Run, ...]:
    """The same numbers in as few runs as there can be, in order."""
    merged: list[Run] = []
    for begin, end in sorted(runs):
        if merged and begin <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return tuple(merged)
