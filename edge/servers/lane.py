"""The way to one Redis: a connection that is made when needed and thrown away when in doubt."""

import asyncio
import time

from edge.servers.fsync_proof import FsyncProof
from edge.servers.link import Address, ErrorReply, Link, LinkLost, Reply, open_link, pack
from edge.servers.promise import PromiseWatch, WeakPromise, read_promise

_PROVES_WITHIN_S = 0.5
FAILURES = (OSError, TimeoutError, LinkLost, ErrorReply, WeakPromise)
"""All that a write can raise."""


class Lane:
    """Writes one command at a time; ``timeout_s`` bounds connecting and each reply."""

    def __init__(
        self,
        address: Address,
        timeout_s: float,
        connect_timeout_s: float,
        promise: PromiseWatch,
        proof: FsyncProof,
    ) -> None:
        self._address = address
        self._timeout_s = timeout_s
        self._connect_timeout_s = connect_timeout_s
        self._fsync = pack(b"WAITAOF", b"1", b"0", b"%d" % int(timeout_s * 1_000))
        self._link: Link | None = None
        self._connecting = asyncio.Lock()
        self.promise = promise
        self._proof = proof

    @property
    def is_up(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return self._link is not None and self._link.is_up

    async def connect(self) -> Link:
        """The connection, made if there is none. Raises one of FAILURES."""
        if self._link is not None and self._link.is_up:
            return self._link
        async with self._connecting:
            if self._link is None or not self._link.is_up:
                self._link = await self._open()
            return self._link

    async def write(self, command: bytes) -> Reply:
        """The reply. Raises one of FAILURES; after TimeoutError or LinkLost it may have landed."""
        link = await self.connect()
        try:
            async with asyncio.timeout(self._timeout_s):
                if self.promise.by_proof:
                    return await self._write_proven(link, command)
                return await link.send(command)
        except ErrorReply:
            raise
        except BaseException:
            self.abandon()
            raise

    async def look(self) -> None:
        """Ask again what the server promises. Raises one of FAILURES."""
        link = await self.connect()
        try:
            async with asyncio.timeout(self._timeout_s):
                promise = await read_promise(link)
                if promise.in_doubt:
                    promise = await self._proof.settle(link, promise)
                self.promise.learn(promise)
        except ErrorReply:
            raise
        except BaseException:
            if self._link is link:
                self.abandon()
            raise

    def abandon(self) -> None:
        """Give up the connection and what is in flight on it."""
        link, self._link = self._link, None
        if link is not None:
            link.abandon()

    async def _open(self) -> Link:
        link = await open_link(self._address, self._connect_timeout_s)
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                promise = await read_promise(link)
            # It takes an fsync, which may be longer than the way there and back.
            async with asyncio.timeout(max(self._connect_timeout_s, _PROVES_WITHIN_S)):
                promise = await self._proof.settle(link, promise)
            self.promise.learn(promise)
        except BaseException:
            link.abandon()
            raise
        return link

    async def _write_proven(self, link: Link, command: bytes) -> Reply:
        """An error of WAITAOF counts as one of the write: what nobody fsynced is not stored."""
        began = time.monotonic()
        both = link.send_all((command, self._fsync))
        for reply in await asyncio.gather(*both, return_exceptions=True):
            if isinstance(reply, BaseException):
                raise reply
        self.promise.proved(time.monotonic() - began)
        fsynced = both[1].result()
        if not isinstance(fsynced, list) or fsynced[0] < 1:
            raise TimeoutError("not fsynced in time")
        return both[0].result()
