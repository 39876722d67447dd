"""One connection to a Redis, without a pool, a retry or a timeout of its own.

The hot path needs to know what a library hides: whether a command was sent, that a connection is
gone the moment it is gone, and that one given up is never read from again.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

from redis.asyncio.connection import SSLConnection, parse_url

Reply = bytes | int | list[Any] | None


class LinkLost(Exception):
    """The connection ended or was given up. What was in flight may have landed all the same."""


class ErrorReply(Exception):
    """Redis answered with an error (OOM, READONLY, LOADING, NOAUTH, …): nothing was stored."""


class Address(NamedTuple):
    """Where a Redis listens and how to sign in; ``path`` is a Unix socket."""

    host: str
    port: int
    path: str | None
    tls: bool
    greeting: tuple[bytes, ...]


def read_address(url: str) -> Address:
    """The address in a redis://, rediss:// or unix:// URL. Raises ValueError."""
    parts: dict[str, Any] = dict(parse_url(url))
    greeting = []
    if parts.get("password"):
        user = str(parts.get("username") or "default")
        greeting.append(pack(b"AUTH", user.encode(), str(parts["password"]).encode()))
    if parts.get("db"):
        greeting.append(pack(b"SELECT", b"%d" % int(parts["db"])))
    return Address(
        host=str(parts.get("host") or "localhost"),
        port=int(parts.get("port") or 6379),
        path=parts.get("path"),
        tls=parts.get("connection_class") is SSLConnection,
        greeting=tuple(greeting),
    )


def pack(*parts: bytes) -> bytes:
    """A command as it goes over the wire."""
    return b"*%d\r\n" % len(parts) + b"".join(
        [b"$%d\r\n%b\r\n" % (len(part), part) for part in parts]
    )


class Link(asyncio.Protocol):
    """Commands go out at once and are answered in order."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[asyncio.Future[Reply]] = deque()
        self._buffer = bytearray()
        self.on_lost: Callable[[], None] | None = None

    @property
    def is_up(self) -> bool:
        """False from the moment the connection is known to be gone."""
        return self._transport is not None and not self._transport.is_closing()

    def send(self, command: bytes) -> "asyncio.Future[Reply]":
        """The reply to come. It raises LinkLost or ErrorReply."""
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        if self._transport is None or self._transport.is_closing():
            reply.set_exception(LinkLost("not connected"))
        else:
            self._waiting.append(reply)
            self._transport.write(command)
        return reply

    def send_all(self, commands: Sequence[bytes]) -> "list[asyncio.Future[Reply]]":
        """The replies to come, to commands that go out in one write."""
        first = self.send(b"".join(commands))
        loop = asyncio.get_running_loop()
        rest: list[asyncio.Future[Reply]] = [loop.create_future() for _ in commands[1:]]
        if self.is_up:
            self._waiting.extend(rest)
        else:
            for reply in rest:
                reply.set_exception(LinkLost("not connected"))
        return [first, *rest]

    def abandon(self) -> None:
        """Give the connection up for ever; a late reply reaches nobody."""
        transport, self._transport = self._transport, None
        self.on_lost = None
        if transport is not None:
            transport.abort()
        self._fail_waiting()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._fail_waiting()
        if self.on_lost is not None:
            self.on_lost()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while self._take_reply():
            pass

    def _fail_waiting(self) -> None:
        while self._waiting:
            reply = self._waiting.popleft()
            if not reply.done():
                reply.set_exception(LinkLost("the connection ended"))

    def _take_reply(self) -> bool:
        read = _read_value(self._buffer, 0)
        if read is None:
            return False
        value, used = read
        del self._buffer[:used]
        self._answer(value)
        return True

    def _answer(self, value: "Reply | ErrorReply") -> None:
        if not self._waiting:
            self.abandon()
            return
        reply = self._waiting.popleft()
        if reply.done():
            return
        if isinstance(value, ErrorReply):
            reply.set_exception(value)
        else:
            reply.set_result(value)


def _read_value(buffer: bytearray, at: int) -> tuple[Reply | ErrorReply, int] | None:
    """(value, where the next begins); None while it has not wholly come."""
    end = buffer.find(b"\r\n", at)
    if end < 0:
        return None
    line, at = bytes(buffer[at:end]), end + 2
    if line[:1] == b"$" and line != b"$-1":
        size = int(line[1:])
        return (bytes(buffer[at : at + size]), at + size + 2) if _holds(buffer, at, size) else None
    if line[:1] == b"*" and line != b"*-1":
        return _read_array(buffer, at, int(line[1:]))
    return _plain_value(line), at


def _holds(buffer: bytearray, at: int, size: int) -> bool:
    return len(buffer) >= at + size + 2


def _read_array(buffer: bytearray, at: int, length: int) -> tuple[list[Any], int] | None:
    values: list[Any] = []
    for _ in range(length):
        read = _read_value(buffer, at)
        if read is None:
            return None
        value, at = read
        values.append(value)
    return values, at


def _plain_value(line: bytes) -> Reply | ErrorReply:
    kind, rest = line[:1], line[1:]
    if kind == b"-":
        return ErrorReply(rest.split(b" ", 1)[0].decode("ascii", "replace"))
    if kind == b":":
        return int(rest)
    return rest if kind == b"+" else None


async def open_link(address: Address, timeout_s: float) -> Link:
    """A signed-in connection. Raises OSError, TimeoutError, LinkLost or ErrorReply."""
    link = Link()
    try:
        async with asyncio.timeout(timeout_s):
            await _connect(address, link)
            for command in address.greeting:
                await link.send(command)
    except BaseException:
        link.abandon()
        raise
    return link


async def _connect(address: Address, link: Link) -> None:
    loop = asyncio.get_running_loop()
    if address.path:
        await loop.create_unix_connection(lambda: link, address.path)
        return
    context = ssl.create_default_context() if address.tls else None
    await loop.create_connection(lambda: link, address.host, address.port, ssl=context)
