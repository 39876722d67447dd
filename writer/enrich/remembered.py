"""Look-ups remembered by their raw text, so that the usual event costs one dictionary access."""

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Remembered(Generic[T]):
    """A pure function of a text, with its latest results kept, ``most`` of them at once.

    When that many are known the older half goes: cheaper on every hit than a strict LRU order.
    """

    def __init__(self, find: Callable[[str], T], most: int) -> None:
        self._find = find
        self._most = most
        self._known: dict[str, T] = {}

    def __call__(self, text: str) -> T:
        """The function's value."""
        try:
            return self._known[text]
        except KeyError:
            pass
        if len(self._known) >= self._most:
            for old in list(self._known)[: self._most // 2]:
                del self._known[old]
        found = self._known[text] = self._find(text)
        return found

    def forget(self) -> None:
        """What the function reads has changed."""
        self._known.clear()
