"""Closes the boots of workers that are gone, once the spool holds nothing of them."""

from pathlib import Path
from typing import Protocol

import msgspec
from redis.asyncio import Redis

from edge.boot_file import BootRecord, read_boots
from edge.runs import merge
from shared.heartbeat import BootBeat, redis_key

_decoder = msgspec.msgpack.Decoder(BootBeat)


class Rule(Protocol):
    """``may_close``: whether all that a boot acknowledged is where it has to be. ``is_closed``:
    whether that it is over is known there, so that its file may go."""

    def may_close(self, boot: int) -> bool: ...

    def is_closed(self, boot: int) -> bool: ...


class AtOnce:
    """For an empty spool, and a primary that is trusted to keep what it was told."""

    def may_close(self, boot: int) -> bool:
        """Every one."""
        return True

    def is_closed(self, boot: int) -> bool:
        """As soon as it was told."""
        return True


async def close_dead_boots(
    folder: Path, edge: str, primary: Redis, now: int, rule: Rule | None = None
) -> int:
    """How many were closed. Without a rule, to be called while the spool is empty. Raises
    RedisError, OSError."""
    closed = 0
    asked = rule or AtOnce()
    for path, alive, record in read_boots(folder):
        if alive or not asked.may_close(record.boot):
            continue
        field = f"{record.boot:012x}"
        raw = await primary.hget(redis_key(edge), field)
        last = _decoder.decode(raw) if isinstance(raw, bytes) else None
        if last is None or not last.ended:
            beat = final_beat(record, last, now)
            await primary.hset(redis_key(edge), field, msgspec.msgpack.encode(beat))
        if asked.is_closed(record.boot):
            path.unlink(missing_ok=True)
            closed += 1
    return closed


def final_beat(record: BootRecord, last: BootBeat | None, now: int) -> BootBeat:
    """The last word about a boot. The batch that was in flight when the worker died was never
    acknowledged: its number is void, and if it landed after all it is stored."""
    known = last or BootBeat(at=now, low=0, low_time=0, last_acked=0)
    acked = max(record.last_acked, known.last_acked)
    in_flight = max(acked, known.low, *(last for _, last in (*record.voids, *known.void))) + 1
    return msgspec.structs.replace(
        known,
        at=now,
        low=in_flight,
        low_time=now,
        last_acked=acked,
        void=merge((*known.void, *record.voids, (in_flight, in_flight))),
        ended=True,
    )
