"""The last words about boots that are over, kept as long as their batches: a core that comes back
restored from a backup may have heard of these boots and not of their ends, or of neither.

In the hash ``words:<edge>`` of the spool: one field a boot (12 hex digits), its last heartbeat.
"""

import time
from collections.abc import Callable, Collection, Iterable
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError

from edge.spool.stream import told_apart
from shared.clock import US_PER_SECOND
from shared.heartbeat import BootBeat

_US_PER_H = 3_600 * US_PER_SECOND
_GRACE_H = 12
"""A word that the core does not confirm is kept so much longer, and no more: the writer tells of a
boot for three days after its end, and silence after that must not be taken for a doubt."""

_decoder = msgspec.msgpack.Decoder(BootBeat)


class LastWords:
    """Every method raises SpoolAway. Use it after ``recall``."""

    def __init__(self, spool: Redis, edge: str, keep_h: int) -> None:
        self._spool = spool
        self._key = words_key(edge)
        self._keep_us = keep_h * _US_PER_H
        self._said_at: dict[int, int] = {}

    @property
    def boots(self) -> Collection[int]:
        """Those whose last words are kept."""
        return self._said_at.keys()

    async def recall(self) -> None:
        """As a drain before this one left them."""
        with told_apart():
            raw: Any = await self._spool.hgetall(self._key)
        self._said_at = {int(field, 16): _decoder.decode(word).at for field, word in raw.items()}

    async def keep(self, boot: int, word: bytes) -> bool:
        """False where the spool has no room for it now."""
        with told_apart():
            try:
                await self._spool.hset(self._key, mapping={_field(boot): word})
            except OutOfMemoryError:
                return False
        self._said_at[boot] = _decoder.decode(word).at
        return True

    async def read(self, boots: Iterable[int]) -> dict[int, bytes]:
        """Some of them. One that the spool has lost is forgotten."""
        asked = list(boots)
        with told_apart():
            found: Any = await self._spool.hmget(self._key, list(map(_field, asked)))
        words = dict(zip(asked, found, strict=True))
        for boot in [boot for boot, word in words.items() if word is None]:
            self._said_at.pop(boot, None)
            words.pop(boot)
        return words

    async def trim(self, is_known: Callable[[int], bool]) -> None:
        """Let go of those that were kept for long enough. ``is_known``: whether the database knows
        that a boot is over."""
        long_ago = time.time_ns() // 1_000 - self._keep_us
        gone = [
            boot
            for boot, at in self._said_at.items()
            if at < long_ago - _GRACE_H * _US_PER_H or (at < long_ago and is_known(boot))
        ]
        if gone:
            with told_apart():
                await self._spool.hdel(self._key, *map(_field, gone))
        for boot in gone:
            self._said_at.pop(boot, None)

    async def remove(self) -> None:
        """There is no journal any more."""
        with told_apart():
            await self._spool.delete(self._key)


def words_key(edge: str) -> str:
    """The hash of an edge in its spool."""
    return f"words:{edge}"


def _field(boot: int) -> str:
    return f"{boot:012x}"
