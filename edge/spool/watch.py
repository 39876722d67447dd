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

from edge.servers.reopening import Reopened, reopen
from shared.metrics import SPOOL_STREAM_FAULT
from shared.stream_state import GREATEST_ID, StreamState, ahead_ms, read_state, went_back

_log = logging.getLogger("edge.drain")
SHORTENED = "shortened"
WENT_BACK = "went_back"
AHEAD = "ahead"
EXHAUSTED = "exhausted"
_SAY_FOR_S = 3_600.0


class SpoolWatch:
    """``moved``: entries that the drain has deleted, counted up to ``slack`` late; None where
    others delete too, as with a journal. ``is_closed``: it takes no entry, and holds too much to be
    opened again."""

    def __init__(
        self, spool: Redis, edge: str, moved: Callable[[], int] | None, slack: int
    ) -> None:
        self._spool = spool
        self._stream = f"ingest:{edge}"
        self._moved = moved
        self._slack = slack
        self._before: tuple[StreamState, int] | None = None
        self._said: dict[str, tuple[str, float]] = {}
        self.is_closed = False

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
        if state.last_id == GREATEST_ID:
            await self._reopen()
        elif ahead := ahead_ms(state, seconds * 1_000):
            self._say(AHEAD, f"its ids run {ahead // 1_000} s ahead of the clock")
        else:
            self._said.pop(AHEAD, None)
        self._show()

    async def _reopen(self) -> None:
        self._before = None
        became = await reopen(self._spool, self._stream)
        self.is_closed = became is Reopened.NOT_YET
        if became is Reopened.REOPENED:
            self._say(EXHAUSTED, "it had the greatest id there is, and was taken back from it")
        elif self.is_closed and EXHAUSTED not in self._said:
            self._say(EXHAUSTED, "it takes no entry until the drain has emptied it: greatest id")

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
        for kind in (SHORTENED, WENT_BACK, AHEAD, EXHAUSTED):
            if kind in self._said and monotonic() - self._said[kind][1] > _SAY_FOR_S:
                del self._said[kind]
            SPOOL_STREAM_FAULT.labels(what=kind).set(kind in self._said)
