"""How much of the spool each site has taken, so that none fills it for the others. Pure.

Counted in segments: what one worker spooled within a stretch of the stream, by site. A segment is
given back as a whole once the drain has passed its last entry. Sites that are a small part of a
segment are left out of it, for only large parts can add up to a share.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping

import msgspec

from shared.stream_state import read_entry_id

EntryId = tuple[int, int]

ONE_SITE = 1 / 2
UNKNOWN_SITES = 1 / 10
_UNKNOWN = ""
"""Stands for every site that no snapshot vouches for."""
_SEGMENTS = 256
_SMALL_PART = 1 / 64
_LOOKS_PAST = 10


class Segment(msgspec.Struct, array_like=True):
    """``last``: the entry with which it ended. ``bytes``: of all its entries; ``sites``: the part
    of each site."""

    last: EntryId
    bytes: int = 0
    sites: dict[str, int] = {}

    def add(self, entry: EntryId, parts: Mapping[str, int]) -> None:
        """One more entry, and how many of its bytes are whose."""
        self.last = entry
        for site, size in parts.items():
            self.bytes += size
            self.sites[site] = self.sites.get(site, 0) + size

    def large_parts(self) -> "Segment":
        """Without the sites that are too small to matter."""
        least = self.bytes * _SMALL_PART
        sites = {site: size for site, size in self.sites.items() if size >= least}
        return Segment(self.last, self.bytes, sites)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Segment)


class Shares:
    """The account of one worker, and what it has heard of the others' (a second old at most).

    ``is_known`` tells whether a snapshot vouches for a site.
    """

    def __init__(self, boot: int, max_bytes: int, is_known: Callable[[str], bool]) -> None:
        self._mine = b"%012x:" % boot
        self._is_known = is_known
        self._bound = max_bytes
        self._free: int | None = None
        self._own: deque[tuple[int, Segment]] = deque()
        self._next = 0
        self._changed: set[int] = set()
        self._others: list[Segment] = []
        self._past: dict[bytes, int] = {}
        self._totals: Counter[str] = Counter()

    @property
    def has_room(self) -> bool:
        """Whether the spool can take more, as far as is known."""
        return self._free is None or self._free > 0

    @property
    def last_taken(self) -> EntryId:
        """The newest entry of this worker that is accounted for; (0, 0) for none."""
        return self._own[-1][1].last if self._own else (0, 0)

    def may_take(self, site: str) -> bool:
        """Whether the site's part is below its share."""
        key = self._key(site)
        share = UNKNOWN_SITES if key == _UNKNOWN else ONE_SITE
        return self._totals[key] < self._bound * share

    def took(self, entry_id: bytes, size: int, weights: Mapping[str, int]) -> None:
        """An entry of so many bytes is in the spool; ``weights``: how the sites divide it."""
        whole = sum(weights.values()) or 1
        parts: Counter[str] = Counter()
        for site, weight in weights.items():
            parts[self._key(site)] += size * weight // whole
        number, segment = self._forming()
        segment.add(read_entry_id(entry_id), parts)
        self._changed.add(number)
        self._totals.update(parts)
        if self._free is not None:
            self._free -= size

    def room_is(self, bound: int, free: int) -> None:
        """What the spool says of itself, in bytes."""
        self._bound, self._free = bound, free

    def heard(
        self, raw: Mapping[bytes, bytes], first: EntryId | None, asked_at: EntryId
    ) -> list[bytes]:
        """Every segment that is written down, of whichever worker, and the entry with which the
        spool then began (None: it was empty), asked when the newest entry of ours was
        ``asked_at``. The fields that are to be deleted."""
        while self._own and self._own[0][1].last < (first or _after(asked_at)):
            number, _ = self._own.popleft()
            self._changed.discard(number)
        kept = {self._field(number) for number, _ in self._own}
        gone = [field for field in raw if field.startswith(self._mine) and field not in kept]
        read = {field: _read(raw[field]) for field in raw if not field.startswith(self._mine)}
        past = {field for field, segment in read.items() if first is None or segment.last < first}
        self._others = [segment for field, segment in read.items() if field not in past]
        self._add_up()
        return gone + self._long_past(past)

    def take_unwritten(self) -> dict[bytes, bytes]:
        """Own segments that have changed since the last call, packed, by their fields."""
        changed, self._changed = self._changed, set()
        return {
            self._field(number): _encoder.encode(segment.large_parts())
            for number, segment in self._own
            if number in changed
        }

    def not_written(self, fields: Iterable[bytes]) -> None:
        """These were taken to be written, and could not be."""
        self._changed |= {int(field.rpartition(b":")[2]) for field in fields}

    def _long_past(self, past: set[bytes]) -> list[bytes]:
        # A worker deletes its own: another could meet it in the middle of a change. What is still
        # there after so many looks is a dead worker's.
        self._past = {field: self._past.get(field, 0) + 1 for field in past}
        return [field for field, looks in self._past.items() if looks > _LOOKS_PAST]

    def _forming(self) -> tuple[int, Segment]:
        if self._own and self._own[-1][1].bytes < self._bound // _SEGMENTS:
            return self._own[-1]
        if self._own:
            number, full = self._own[-1]
            self._own[-1] = number, full.large_parts()
        self._own.append((self._next, Segment((0, 0), 0, {})))
        self._next += 1
        return self._own[-1]

    def _add_up(self) -> None:
        totals: Counter[str] = Counter()
        for segment in (*self._others, *(each for _, each in self._own)):
            totals.update(segment.sites)
        self._totals = totals

    def _key(self, site: str) -> str:
        return site if self._is_known(site) else _UNKNOWN

    def _field(self, number: int) -> bytes:
        return self._mine + b"%d" % number


def _after(entry: EntryId) -> EntryId:
    return entry[0], entry[1] + 1


def _read(packed: bytes) -> Segment:
    """What cannot be read counts as passed."""
    try:
        return _decoder.decode(packed)
    except msgspec.MsgspecError:
        return Segment((0, 0), 0, {})
