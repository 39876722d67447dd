"""Whose query may run now: whoever has more running leaves more places free for the others.

A caller with k queries running starts another only while over k places are free. So the first
fills half of the places at most, the next half of the rest, and somebody new finds one at once.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from shared.errors import Code, Refusal

MAX_WAITING = 100
"""Of one caller."""

_RETRY_AFTER_S = 1


class Turns:
    """``places``: queries that run at once, at least one."""

    def __init__(self, places: int) -> None:
        self._free = max(1, places)
        self._running: Counter[Hashable] = Counter()
        self._waiting: list[tuple[Hashable, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def take(self, caller: Hashable, timeout_s: float) -> AsyncIterator[None]:
        """Held while the query runs. Raises Refusal where the caller's own take too long."""
        await self._wait(caller, timeout_s)
        try:
            yield
        finally:
            self._leave(caller)

    async def _wait(self, caller: Hashable, timeout_s: float) -> None:
        if self._may_run(caller):
            self._start(caller)
            return
        if sum(1 for waiting, _ in self._waiting if waiting == caller) >= MAX_WAITING:
            raise _refusal()
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((caller, turn))
        try:
            async with asyncio.timeout(timeout_s):
                await turn
        except BaseException as error:
            self._give_up(caller, turn)
            if isinstance(error, TimeoutError):
                raise _refusal() from None
            raise

    def _may_run(self, caller: Hashable) -> bool:
        return self._free > self._running[caller]

    def _start(self, caller: Hashable) -> None:
        self._free -= 1
        self._running[caller] += 1

    def _leave(self, caller: Hashable) -> None:
        self._free += 1
        self._running[caller] -= 1
        if not self._running[caller]:
            del self._running[caller]
        self._call_next()

    def _call_next(self) -> None:
        for entry in list(self._waiting):
            caller, turn = entry
            if self._may_run(caller) and not turn.done():
                self._waiting.remove(entry)
                self._start(caller)
                turn.set_result(None)

    def _give_up(self, caller: Hashable, turn: asyncio.Future[None]) -> None:
        """A turn that came in the same moment is passed on."""
        if (caller, turn) in self._waiting:
            self._waiting.remove((caller, turn))
        elif turn.done() and not turn.cancelled():
            self._leave(caller)


def _refusal() -> Refusal:
    return Refusal(
        Code.RATE_LIMITED,
        "too many of your queries run at once: wait for their answers",
        retry_after_s=_RETRY_AFTER_S,
    )
