"""Looks once a second whether the spool's stream is whole: an entry leaves it by the drain alone.

A worker takes what is not in the spool for drained. The ledger names such a loss by its numbers,
and this names how it came about.
"""

import logging
from collections.abc import Callable
from time import monotonic
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from shared.metrics import SPOOL_STREAM_FAULT
from shared.stream_state import StreamState, ahead_ms, read_state, went_back

_log = logging.getLogger("edge.drain")
SHORTENED = "shortened"
WENT_BACK = "went_back"
AHEAD = "ahead"
_SAY_FOR_S = 3_600.0


class SpoolWatch:
    """``moved``: entries that the drain has deleted, counted up to ``slack`` late; None where
    others delete too, as with a journal."""

    def __init__(
        self, spool: Redis, edge: str, moved: Callable[[], int] | None, slack: int
    ) -> None:
        self._spool = spool
        self._stream = f"ingest:{edge}"
        self._moved = moved
        self._slack = slack
        self._before: tuple[StreamState, int] | None = None
        self._said: dict[str, tuple[str, float]] = {}

    @property
    def faults(self) -> list[str]:
        """For the operator; nothing where all is well."""
        return [message for message, _ in self._said.values()]

    async def look(self) -> None:
        """Raises RedisError, OSError."""
        moved = self._count()
        async with self._spool.pipeline(transaction=True) as pipe:
            pipe.xinfo_stream(self._stream)
            pipe.time()
            info, (seconds, _) = await pipe.execute(raise_on_error=False)
        found: Any = info
        state = StreamState() if isinstance(info, ResponseError) else read_state(found)
        self._compare(state)
        self._before = state, moved
        if ahead := ahead_ms(state, seconds * 1_000):
            self._say(AHEAD, f"its ids run {ahead // 1_000} s ahead of the clock")
        else:
            self._said.pop(AHEAD, None)
        self._show()

    def _compare(self, state: StreamState) -> None:
        if self._before is None:
            return
        before, moved = self._before
        if went_back(before, state):
            if before.length:
                self._say(WENT_BACK, f"begun anew: a second before it held {before.length} entries")
        elif self._moved is not None:
            removed = (state.added - state.length) - (before.added - before.length)
            others = removed - (self._count() - moved)
            if others > self._slack:
                self._say(SHORTENED, f"cut short: {others} entries left it that were not moved")

    def _count(self) -> int:
        return 0 if self._moved is None else self._moved()

    def _say(self, kind: str, message: str) -> None:
        if kind != AHEAD or kind not in self._said:
            _log.error("the spool's stream %s is not whole: %s", self._stream, message)
        self._said[kind] = message, monotonic()

    def _show(self) -> None:
        for kind in (SHORTENED, WENT_BACK, AHEAD):
            if kind in self._said and monotonic() - self._said[kind][1] > _SAY_FOR_S:
                del self._said[kind]
            SPOOL_STREAM_FAULT.labels(what=kind).set(kind in self._said)
