"""Closes the boots of workers that are gone, once the spool holds nothing of them."""

import logging
from pathlib import Path
from typing import Any, Protocol

import msgspec
from redis.asyncio import Redis

from edge.batches.boot_file import BootRecord, boot_files, read_boots
from edge.batches.runs import Run, merge
from shared.heartbeat import BootBeat, redis_key

_log = logging.getLogger("edge.drain")
_decoder = msgspec.msgpack.Decoder(BootBeat)


class Rule(Protocol):
    """``may_close``: whether all that a boot acknowledged is where it has to be. ``is_closed``:
    whether that it is over is known there, so that its file may go. ``keep``: the last word about
    it, to be told again should it be forgotten there; False, not yet. ``is_kept``: whether it is,
    so that it need not be found out again. ``stored``: the numbers of it that are known to be
    stored, as runs in order."""

    def may_close(self, boot: int) -> bool: ...

    def is_closed(self, boot: int) -> bool: ...

    def is_kept(self, boot: int) -> bool: ...

    def stored(self, boot: int) -> tuple[Run, ...]: ...

    async def keep(self, boot: int, word: bytes) -> bool: ...


class AtOnce:
    """For an empty spool, and a primary that is trusted to keep what it was told."""

    def may_close(self, boot: int) -> bool:
        """Every one."""
        return True

    def is_closed(self, boot: int) -> bool:
        """As soon as it was told."""
        return True

    def is_kept(self, boot: int) -> bool:
        """None."""
        return False

    def stored(self, boot: int) -> tuple[Run, ...]:
        """Nobody told."""
        return ()

    async def keep(self, boot: int, word: bytes) -> bool:
        """It need not be."""
        return True


class DeadBoots:
    """Of one name of an edge, ``is_former`` of one that it had before; today's has those too whose
    files say no name. What cannot be read, on either side, is said once and left as it is: another
    version may have written it, and a last word must not be made up."""

    def __init__(self, folder: Path, edge: str, primary: Redis, *, is_former: bool = False) -> None:
        self._folder = folder
        self._names = {edge} if is_former else {edge, ""}
        self._key = redis_key(edge)
        self._primary = primary
        self._said: set[str] = set()

    async def close(self, now: int, rule: Rule | None = None) -> int:
        """How many were closed. Without a rule, to be called while the spool is empty. Raises
        RedisError, OSError, and what the rule raises."""
        closed = 0
        asked = rule or AtOnce()
        standing = boot_files(self._folder)
        boots = list(read_boots(self._folder))
        for path, alive, record in boots:
            if alive or record.edge not in self._names or not asked.may_close(record.boot):
                continue
            if not asked.is_kept(record.boot) and not await self._tell(record, now, asked):
                continue
            if asked.is_closed(record.boot):
                path.unlink(missing_ok=True)
                closed += 1
        for path in standing - {path for path, _, _ in boots}:
            if "" in self._names and path.exists():
                self._say(f"the boot file {path} cannot be read")
        return closed

    async def _tell(self, record: BootRecord, now: int, rule: Rule) -> bool:
        """The last word, unless it stands there; False: what stands there cannot be read, or the
        word cannot be kept."""
        field = f"{record.boot:012x}"
        raw: Any = await self._primary.hget(self._key, field)
        try:
            last = _decoder.decode(raw) if isinstance(raw, bytes) else None
            if last is not None and last.ended:
                return await rule.keep(record.boot, raw)
            stored = rule.stored(record.boot)
            beat = msgspec.msgpack.encode(final_beat(record, last, now, stored))
        except (msgspec.MsgspecError, ValueError, OverflowError):
            self._say(
                f"the heartbeat of the dead boot {field} cannot be read (HDEL it from"
                f" {self._key} to have the boot closed by its file alone)"
            )
            return False
        # Kept first: should it be told and the primary lost, nobody would know the counts.
        is_kept = await rule.keep(record.boot, beat)
        await self._primary.hset(self._key, field, beat)
        return is_kept

    def _say(self, what: str) -> None:
        if what not in self._said:
            _log.error("%s: this boot stays open, and completeness waits for it", what)
            self._said.add(what)


def final_beat(
    record: BootRecord, last: BootBeat | None, now: int, stored: tuple[Run, ...] = ()
) -> BootBeat:
    """The last word about a boot. The batch that was in flight when the worker died was never
    acknowledged: its number is void, and if it landed after all it is stored. ``stored``
    makes up for what a power cut took from the file, and a lost disk from the heartbeats; only what
    follows on without a gap, as a damaged batch may lie about its number."""
    known = last or BootBeat(at=now, low=0, low_time=0, last_acked=0)
    acked = max(record.last_acked, known.last_acked)
    voids = (last for _, last in (*record.voids, *known.void))
    in_flight = max(acked, known.low, *voids) + 1
    for first, end in stored:
        if first <= in_flight <= end:
            in_flight = end + 1
    return msgspec.structs.replace(
        known,
        at=now,
        low=in_flight,
        low_time=now,
        last_acked=acked,
        void=merge((*known.void, *record.voids, (in_flight, in_flight))),
        ended=True,
    )
