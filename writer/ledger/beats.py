"""The heartbeats that stand on the primary for one edge: which of them are new to this writer, and
which speak of boots that have been over for long.

A last word stays for a day after its boot's end, so that a database restored from a backup hears
again what that boot had acknowledged; of very many only the newest stay. An edge with a journal
keeps them itself, as long as its batches, and tells them again (edge/journal/last_words.py).
"""

import logging
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from shared.clock import US_PER_SECOND
from shared.heartbeat import DRAIN_FIELD, BootBeat, DrainBeat

log = logging.getLogger("writer")

KEPT_US = 24 * 3600 * US_PER_SECOND
KEPT_BEATS = 100
"""Last words kept of an edge, however young they are."""

_boot_beat = msgspec.msgpack.Decoder(BootBeat)
_drain_beat = msgspec.msgpack.Decoder(DrainBeat)

Counts = dict[str, dict[str, int]]
"""Events by site and outcome."""


class Fresh(NamedTuple):
    """What has changed. ``raw``: as it stood, to be remembered once it is written down."""

    raw: Mapping[bytes, bytes]
    boots: dict[int, BootBeat]
    drain: DrainBeat | None


class _Known(NamedTuple):
    """``may_go``: it is a last word, or cannot be read."""

    raw: bytes
    at: int
    may_go: bool
    counts: Counts


class Beats:
    """Of one edge, as far as this writer has written them down."""

    def __init__(self, edge: str) -> None:
        self._edge = edge
        self._drain = b""
        self._known: dict[bytes, _Known] = {}

    def look(self, raw: Mapping[bytes, bytes]) -> Fresh:
        """What of the hash differs from what was written down."""
        changed = {name: value for name, value in raw.items() if value != self._raw_of(name)}
        return Fresh(raw, *read_beats(self._edge, changed))

    def _raw_of(self, name: bytes) -> bytes | None:
        if name == DRAIN_FIELD.encode():
            return self._drain
        known = self._known.get(name)
        return known and known.raw

    def counts_of(self, boot: int) -> Counts:
        """As last written down."""
        known = self._known.get(field_of(boot))
        return known.counts if known else {}

    def written(self, fresh: Fresh) -> None:
        """Remember it, and forget what the hash no longer holds."""
        self._drain = fresh.raw.get(DRAIN_FIELD.encode(), b"")
        names = [name for name in fresh.raw if name != DRAIN_FIELD.encode()]
        beats = {field_of(boot): beat for boot, beat in fresh.boots.items()}
        self._known = {name: self._learn(name, fresh.raw[name], beats.get(name)) for name in names}

    def _learn(self, name: bytes, raw: bytes, beat: BootBeat | None) -> _Known:
        known = self._known.get(name)
        if known is not None and known.raw == raw:
            return known
        if beat is None:
            return _Known(raw, 0, True, {})
        return _Known(raw, beat.at, beat.ended, beat.counts)

    def outdated(self) -> list[int]:
        """Boots whose last words may go, if the database knows all of them. Days are counted by
        what the edge itself says, so that one which is away loses nothing."""
        now = max((known.at for known in self._known.values()), default=0)
        last_words = sorted((known.at, name) for name, known in self._known.items() if known.may_go)
        too_many = len(last_words) - KEPT_BEATS
        return [
            boot
            for nth, (at, name) in enumerate(last_words)
            if (nth < too_many or at < now - KEPT_US) and (boot := _boot_of(name)) is not None
        ]


def field_of(boot: int) -> bytes:
    """The field of a boot in the hash."""
    return b"%012x" % boot


def _boot_of(name: bytes) -> int | None:
    try:
        return int(name, 16)
    except ValueError:
        return None


def read_beats(
    edge: str, raw: Mapping[bytes, bytes]
) -> tuple[dict[int, BootBeat], DrainBeat | None]:
    """The heartbeats of an edge by boot, and its drain's. What cannot be read is left out."""
    boots: dict[int, BootBeat] = {}
    drain: DrainBeat | None = None
    for field, value in raw.items():
        try:
            if field == DRAIN_FIELD.encode():
                drain = _drain_beat.decode(value)
            else:
                boots[int(field, 16)] = _boot_beat.decode(value)
        except (msgspec.MsgspecError, ValueError):
            log.warning("a heartbeat of edge %r cannot be read: field %r", edge, field)
    return boots, drain
