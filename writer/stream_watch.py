"""Looks once a second whether the edges' streams are whole.

The ledger names what was lost, some seconds later and by number. This names how: whoever may XADD
may also trim a stream, or close it for good with the greatest id there is.
"""

import logging
from collections.abc import Iterable
from time import monotonic
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from shared.metrics import WRITER_STREAM_FAULT, WRITER_STREAM_REMOVED
from shared.stream_state import (
    GREATEST_ID,
    StreamState,
    ahead_ms,
    read_state,
    removed_unread,
    went_back,
)
from writer.stream import GROUP, stream_key

log = logging.getLogger("writer")

SHORTENED = "shortened"
WENT_BACK = "went_back"
AHEAD = "ahead"
_KINDS = (SHORTENED, WENT_BACK, AHEAD)
_SAY_FOR_S = 3_600.0
"""How long a fault that leaves no trace in the stream stays on ``/readyz``."""
_REMEDY = (
    "once it is empty, EVAL \"if redis.call('XLEN', KEYS[1]) == 0 then"
    " return redis.call('DEL', KEYS[1]) end\" 1 %s"
)


class StreamWatch:
    """Of one writer; every writer sees the same."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._before: dict[str, StreamState] = {}
        self._removed: dict[str, int] = {}
        self._said: dict[tuple[str, str], tuple[str, float]] = {}

    @property
    def faults(self) -> dict[str, list[str]]:
        """By edge, for the operator; nothing where all is well."""
        found: dict[str, list[str]] = {}
        for (edge, _), (message, _) in sorted(self._said.items()):
            found.setdefault(edge, []).append(message)
        return found

    async def look(self, edges: Iterable[str]) -> None:
        """Raises RedisError, OSError."""
        for edge in edges:
            state, now_ms = await self._read(edge)
            self._judge(edge, state, now_ms)
            self._forget_old(edge)
            for kind in _KINDS:
                WRITER_STREAM_FAULT.labels(edge, kind).set((edge, kind) in self._said)

    async def _read(self, edge: str) -> tuple[StreamState, int]:
        # In one step: between two, a writer may take an entry out.
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.xinfo_stream(stream_key(edge))
            pipe.xinfo_groups(stream_key(edge))
            pipe.time()
            info, groups, (seconds, _) = await pipe.execute(raise_on_error=False)
        if isinstance(info, ResponseError) or isinstance(groups, ResponseError):
            return StreamState(), seconds * 1_000
        ours: Any = next((group for group in groups if group["name"] == GROUP.encode()), None)
        return read_state(info, ours), seconds * 1_000

    def _judge(self, edge: str, state: StreamState, now_ms: int) -> None:
        key, before = stream_key(edge), self._before.get(edge, StreamState())
        self._before[edge] = state
        if went_back(before, state):
            self._removed[edge] = 0
            message = f"{key} was begun anew: a second before it held %d entries"
            self._say_removed(edge, WENT_BACK, before.length, message)
        removed = removed_unread(state)
        more = removed - self._removed.get(edge, 0)
        self._say_removed(edge, SHORTENED, more, f"{key} was cut short: %d entries left it unread")
        self._removed[edge] = removed
        if state.last_id == GREATEST_ID:
            self._say(edge, AHEAD, f"{key} takes no entry any more, its last id is the greatest")
        elif ahead := ahead_ms(state, now_ms):
            self._say(edge, AHEAD, f"the ids of {key} run {ahead // 1_000} s ahead of the clock")
        else:
            self._said.pop((edge, AHEAD), None)

    def _say_removed(self, edge: str, kind: str, entries: int, message: str) -> None:
        if entries > 0:
            WRITER_STREAM_REMOVED.labels(edge).inc(entries)
            self._say(edge, kind, message % entries)

    def _say(self, edge: str, kind: str, message: str) -> None:
        known = (edge, kind) in self._said
        self._said[edge, kind] = message, monotonic()
        if kind != AHEAD:
            log.error("%s; see who may use DEL, XTRIM and FLUSHALL there", message)
        elif not known:
            log.error("%s; remedy: %s", message, _REMEDY % stream_key(edge))

    def _forget_old(self, edge: str) -> None:
        for kind in (SHORTENED, WENT_BACK):
            said = self._said.get((edge, kind))
            if said and monotonic() - said[1] > _SAY_FOR_S:
                del self._said[edge, kind]
