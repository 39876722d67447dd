"""Look-ups remembered by their raw input, so that the usual event costs one dictionary access."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Remembered(Generic[K, T]):
    """A pure function, with its latest results kept, ``most`` of them at once.

    When that many are known the older half goes: cheaper on every hit than a strict LRU order.
    """

    def __init__(self, find: Callable[[K], T], most: int) -> None:
        self._find = find
        self._most = most
        self._known: dict[K, T] = {}

    def __call__(self, key: K) -> T:
        """The function's value."""
        try:
            return self._known[key]
        except KeyError:
            pass
        if len(self._known) >= self._most:
            for old in list(self._known)[: self._most // 2]:
                del self._known[old]
        found = self._known[key] = self._find(key)
        return found

    def forget(self) -> None:
        """What the function reads has changed."""
        self._known.clear()
