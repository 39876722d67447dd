"""How many more values each dimension of a day may get before its values must be counted again.

To count a busy day's values takes as long as to add a step's. Each value that is added may be a new
one, so that there is room until as many were added as were missing at the last count.
"""

from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

Dimension = TypeVar("Dimension", bound=Hashable)
"""Of a day of a site."""

_MOST_KNOWN = 100_000


class Room(Generic[Dimension]):
    """Good as long as nobody else adds: forgotten where another stage has stepped in between."""

    def __init__(self) -> None:
        self._room: dict[Dimension, int] = {}
        self._at: int | None = None

    def begin(self, after: int, upto: int) -> None:
        """A step from one commit to another. If it is taken back, the next begins elsewhere than
        this one ends, and all is forgotten."""
        if self._at != after or len(self._room) > _MOST_KNOWN:
            self._room.clear()
        self._at = upto

    def take(self, added: Mapping[Dimension, int]) -> list[Dimension]:
        """So many values are added: returns those whose values must be counted."""
        for each, values in added.items():
            self._room[each] = self._room.get(each, 0) - values
        return [each for each in added if self._room[each] < 0]

    def put(self, each: Dimension, room: int) -> None:
        """There is room for so many more; less than none: for none."""
        self._room[each] = room
