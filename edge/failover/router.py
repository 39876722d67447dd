"""Where a batch goes: to the primary while the breaker is closed, else to the spool. In journal
mode always to the spool, from where the drain takes it to the primary."""

import time
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from typing import NamedTuple

from edge.failover.breaker import Breaker, Trouble
from edge.servers.lane import FAILURES, Lane
from edge.servers.link import ErrorReply
from edge.servers.promise import Weakness, WeakPromise
from shared import failpoints

REFUSE_FOR_S = 0.5
"""After a batch found no place, the next are given up unsent for so long: a full spool is not
hammered, and few numbers become void."""
_SAY_FOR_S = 3.0
"""How long readiness remembers it, longer than the breaks between two looks."""


class Where(StrEnum):
    """Where a batch was fsynced."""

    PRIMARY = "primary"
    SPOOL = "spool"


class Stored(NamedTuple):
    """``entry_id``: the stream entry's id at that place."""

    where: Where
    entry_id: bytes


class NoPlace(Exception):
    """Neither primary nor spool has confirmed the batch; it may have landed all the same."""


class Router:
    """Stores an entry durably, or says that it could not."""

    def __init__(
        self, primary: Lane, spool: Lane, breaker: Breaker, *, journal: bool = False
    ) -> None:
        self._primary = primary
        self._spool = spool
        self.breaker = breaker
        self._journal = journal
        self._refuse_until = 0.0
        self._failed_until = 0.0
        self.spool_has_room: Callable[[], bool] = lambda: True

    @property
    def is_refusing(self) -> bool:
        """Whether a batch would be given up unsent."""
        if time.monotonic() < self._refuse_until:
            return True
        return self.spools and not self.spool_has_room()

    @property
    def spools(self) -> bool:
        """Whether the next batch would go to the spool."""
        return self._journal or self.breaker.is_open

    @property
    def place(self) -> Where | None:
        """Where a batch would go now; None when nowhere. A spool that answers and has just refused
        a batch all the same is no place."""
        if not self.spools:
            return Where.PRIMARY
        if time.monotonic() < self._failed_until:
            return None
        return Where.SPOOL if self._spool.is_up and not self.is_refusing else None

    async def store(self, command: bytes) -> Stored:
        """Where the entry is fsynced. The spool gets the very same entry, so that a copy which
        landed at the primary all the same is caught by its (boot, seq). Raises NoPlace."""
        if not self.spools:
            try:
                return Stored(Where.PRIMARY, _entry_id(await self._primary.write(command)))
            except FAILURES as error:
                self.breaker.open(trouble_of(error))
        try:
            entry_id = _entry_id(await self._spool.write(command))
        except FAILURES as error:
            now = time.monotonic()
            self._refuse_until, self._failed_until = now + REFUSE_FOR_S, now + _SAY_FOR_S
            raise NoPlace(type(error).__name__) from error
        self._failed_until = 0.0
        failpoints.reach("spooled")
        return Stored(Where.SPOOL, entry_id)

    def abandon_primary(self) -> None:
        """Drop the primary's connection for ever; a batch in flight on it goes to the spool."""
        self._primary.abandon()

    async def reconnect_primary(self) -> None:
        """Have a connection ready before live beacons need it. Raises one of FAILURES."""
        await self._primary.connect()

    async def check_spool(self) -> None:
        """Ask whether it lives and fsyncs, so that ``place`` tells the truth while nothing is sent
        there."""
        with suppress(*FAILURES):
            await self._spool.look()

    async def check_primary(self) -> None:
        """Ask whether it still fsyncs; whether it lives, the pulse asks."""
        try:
            if not self.breaker.is_open:
                await self._primary.look()
        except WeakPromise:
            self.breaker.open(Trouble.WEAK)
        except FAILURES:
            return

    @property
    def weak(self) -> tuple[Weakness, Weakness]:
        """What primary and spool were found to promise less."""
        return self._primary.promise.weak, self._spool.promise.weak


def trouble_of(error: BaseException) -> Trouble:
    """The reason to give for a failure of the primary."""
    if isinstance(error, ErrorReply):
        return Trouble.ERROR
    if isinstance(error, WeakPromise):
        return Trouble.WEAK
    return Trouble.HUNG if isinstance(error, TimeoutError) else Trouble.REFUSED


def _entry_id(reply: object) -> bytes:
    return reply if isinstance(reply, bytes) else b""
