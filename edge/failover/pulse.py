"""Asks the primary on a second connection whether it lives; an unanswered PING opens the breaker.

A connect proves nothing (a stopped server's kernel accepts), and a wait for the batch in flight
would make the client wait with it.
"""

import asyncio
from collections.abc import Callable

from edge.failover.breaker import Breaker, Trouble
from edge.failover.router import Router, trouble_of
from edge.servers.lane import FAILURES
from edge.servers.link import Address, Link, open_link, pack

_PING = pack(b"PING")
_LOOK_AGAIN_S = 0.002


class Pulse:
    """Watches while the breaker is closed, and closes it when the drain has proven the primary."""

    def __init__(
        self,
        address: Address,
        router: Router,
        read_proof_ns: Callable[[], int],
        interval_s: float,
        timeout_s: float,
    ) -> None:
        self._address = address
        self._router = router
        self._breaker: Breaker = router.breaker
        self._read_proof_ns = read_proof_ns
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self._link: Link | None = None

    async def run(self) -> None:
        """For ever."""
        while True:
            await self.beat()
            await asyncio.sleep(self._interval_s)

    async def beat(self) -> None:
        """One look, whichever the state."""
        if not self._breaker.is_open:
            await self._ask()
        elif self._breaker.proven_since(self._read_proof_ns()):
            await self._come_back()

    async def start(self) -> None:
        """The first connections of a worker; without them it starts on the spool."""
        try:
            await self._connect()
        except FAILURES as error:
            self._breaker.open(trouble_of(error))

    async def _come_back(self) -> None:
        try:
            await self._connect()
            self._breaker.close()
        except FAILURES as error:
            self._breaker.open(trouble_of(error))

    async def _connect(self) -> None:
        self._drop()
        self._link = await open_link(self._address, self._timeout_s)
        await self._router.reconnect_primary()
        self._link.on_lost = lambda: self._breaker.open(Trouble.REFUSED)

    async def _ask(self) -> None:
        if self._link is None:
            await self.start()
            return
        reply = self._link.send(_PING)
        await asyncio.wait({reply}, timeout=self._timeout_s)
        if not reply.done():
            # Timers run before sockets are read: after a stall of our own loop, look once more.
            await asyncio.wait({reply}, timeout=_LOOK_AGAIN_S)
        if not reply.done():
            reply.cancel()
            self._give_up(Trouble.HUNG)
        elif (error := reply.exception()) is not None:
            self._give_up(trouble_of(error))

    def _give_up(self, trouble: Trouble) -> None:
        self._drop()
        self._breaker.open(trouble)

    def _drop(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.abandon()
