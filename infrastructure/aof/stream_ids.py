"""The ids that entries of a stream may have: each after the one before, none of the future."""

from typing import NamedTuple

_MOST = (1 << 64) - 1
_SLACK_MS = 3_600_000
"""Between what a clock said and what it says now."""


class EntryId(NamedTuple):
    """When, and which of that millisecond."""

    ms: int
    number: int

    @classmethod
    def read(cls, text: bytes) -> "EntryId":
        ms, _, number = text.partition(b"-")
        return cls(int(ms), int(number or b"0"))

    def show(self) -> bytes:
        return b"%d-%d" % self

    def next(self) -> "EntryId":
        return (
            EntryId(self.ms + 1, 0) if self.number == _MOST else EntryId(self.ms, self.number + 1)
        )


class StreamIds:
    """``since_ms``: when the base file was made, whose streams end before it, 0 without one;
    ``until_ms``: the last write. By key."""

    def __init__(self, since_ms: int, until_ms: int) -> None:
        self._floor = EntryId(max(0, since_ms - _SLACK_MS), 0)
        self._first = EntryId(since_ms + 1_000, 0)
        self._newest = EntryId(until_ms + _SLACK_MS, 0)
        self._last: dict[bytes, EntryId] = {}

    def is_future(self, entry_id: EntryId) -> bool:
        return entry_id > self._newest

    def add(self, key: bytes, wanted: EntryId) -> EntryId:
        """The id that this entry gets: its own where it can keep it."""
        last = self._last.get(key)
        fits = wanted > (last or self._floor) and not self.is_future(wanted)
        given = wanted if fits else (last.next() if last else self._first)
        self._last[key] = given
        return given

    def put_last(self, key: bytes, last: EntryId) -> None:
        self._last[key] = last

    def rename(self, old: bytes, new: bytes) -> None:
        self.forget(new)
        if old in self._last:
            self._last[new] = self._last.pop(old)

    def forget(self, key: bytes) -> None:
        self._last.pop(key, None)

    def forget_all(self) -> None:
        self._last.clear()
