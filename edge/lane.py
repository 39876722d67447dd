"""The way to one Redis: a connection that is made when needed and thrown away when in doubt."""

import asyncio

from edge.link import Address, ErrorReply, Link, LinkLost, Reply, open_link

FAILURES = (OSError, TimeoutError, LinkLost, ErrorReply)
"""All that a write can raise."""


class Lane:
    """Writes one command at a time; ``timeout_s`` bounds connecting and each reply."""

    def __init__(self, address: Address, timeout_s: float, connect_timeout_s: float) -> None:
        self._address = address
        self._timeout_s = timeout_s
        self._connect_timeout_s = connect_timeout_s
        self._link: Link | None = None

    @property
    def is_up(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return self._link is not None and self._link.is_up

    async def connect(self) -> Link:
        """The connection, made if there is none. Raises one of FAILURES."""
        if self._link is None or not self._link.is_up:
            self._link = await open_link(self._address, self._connect_timeout_s)
        return self._link

    async def write(self, command: bytes) -> Reply:
        """The reply. Raises one of FAILURES; after TimeoutError or LinkLost it may have landed."""
        link = await self.connect()
        try:
            async with asyncio.timeout(self._timeout_s):
                return await link.send(command)
        except ErrorReply:
            raise
        except BaseException:
            self.abandon()
            raise

    def abandon(self) -> None:
        """Give up the connection and what is in flight on it."""
        link, self._link = self._link, None
        if link is not None:
            link.abandon()
