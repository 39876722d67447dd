"""Look-ups remembered by their raw input, so that the usual event costs one dictionary access."""

from collections.abc import Callable, Hashable
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Remembered(dict[K, T]):
    """A pure function, asked for as ``remembered[key]``, with its latest ``most`` results kept.

    When that many are known the older half goes: an LRU order would cost more on every hit.
    """

    def __init__(self, find: Callable[[K], T], most: int) -> None:
        super().__init__()
        self._find = find
        self._most = most

    def __missing__(self, key: K) -> T:
        if len(self) >= self._most:
            for old in list(self)[: self._most // 2]:
                del self[old]
        found = self[key] = self._find(key)
        return found
