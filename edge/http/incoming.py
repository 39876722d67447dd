"""A request that may be answered before it has come in whole.

Closing a connection on unread bytes resets it, and its other side may never read the answer. So
the answer goes out first, with word that the connection ends; what still comes is thrown away,
within bounds of bytes and of time.
"""

import asyncio
from contextlib import suppress

from starlette.types import Message, Receive, Send

MAX_DISCARDED = 4 * 1024 * 1024
_CLOSE = (b"connection", b"close")


class Incoming:
    """The messages of a request's body, as ASGI's ``receive`` brings them."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._cycle = getattr(receive, "__self__", None)
        self._ended = False

    async def __call__(self) -> Message:
        """The next one."""
        message = await self._receive()
        self._ended = not message.get("more_body", False)
        return message

    @property
    def is_whole(self) -> bool:
        """Nothing is still to come: either it was all received, or uvicorn holds the rest."""
        return self._ended or getattr(self._cycle, "more_body", True) is False

    async def discard(self, timeout_s: float) -> None:
        """Read on until the end of the request or of what it may take."""
        left = MAX_DISCARDED
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while left > 0 and not self.is_whole:
                    message = await self()
                    left -= len(message.get("body", b""))


class Outgoing:
    """ASGI's ``send`` for a request that may still be on its way."""

    def __init__(self, send: Send, incoming: Incoming, timeout_s: float) -> None:
        self._send = send
        self._incoming = incoming
        self._timeout_s = timeout_s
        self._ends = False

    async def __call__(self, message: Message) -> None:
        """Send it; after the last of an early answer, let the rest of the request come."""
        if message["type"] == "http.response.start" and not self._incoming.is_whole:
            self._ends = True
            message = {**message, "headers": _with_close(message["headers"])}
        if not self._ends or message.get("more_body", message["type"] != "http.response.body"):
            await self._send(message)
            return
        await self._send({**message, "more_body": True})
        await self._incoming.discard(self._timeout_s)
        await self._send({"type": "http.response.body", "body": b""})


def _with_close(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return headers if _CLOSE in headers else [*headers, _CLOSE]
