"""The body of a request, bounded as it is received, whatever Content-Length says."""

import asyncio
from collections.abc import Hashable

from starlette.types import Message

from edge.http.incoming import Incoming
from shared.errors import Code, Refusal

MAX_SINGLE = 64 * 1024
MAX_ARRAY = 1024 * 1024
_MAX_DECLARED = b"%d" % MAX_ARRAY


class Disconnected(Exception):
    """The client went away; there is nobody to answer."""


class BodyMemory:
    """Request bytes that a worker holds at once. A holder may have as much as it leaves free:
    half of all when it is alone, a third beside another that wants as much."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._held_by: dict[Hashable, int] = {}
        self.held = 0

    def take(self, size: int, holder: Hashable) -> None:
        """Hold so many more. Raises Refusal when that is too many."""
        mine = self._held_by.get(holder, 0) + size
        if self.held + size > self._most_bytes:
            raise Refusal(Code.UNAVAILABLE, "the edge holds all the bytes it may", retry_after_s=1)
        if mine > self._most_bytes - self.held:
            raise Refusal(Code.RATE_LIMITED, "too many bytes at once", retry_after_s=1)
        self._held_by[holder] = mine
        self.held += size

    def give_back(self, size: int, holder: Hashable) -> None:
        """The request is answered."""
        self.held -= size
        left = self._held_by.get(holder, 0) - size
        if left > 0:
            self._held_by[holder] = left
        else:
            self._held_by.pop(holder, None)


async def read_body(
    incoming: Incoming, memory: BodyMemory, holder: Hashable, timeout_s: float
) -> bytes:
    """The whole body, whose bytes ``memory`` is to get back from ``holder``. Raises Refusal,
    Disconnected."""
    if incoming.is_whole:
        # uvicorn has it all already: no need for a deadline, which would cost a timer.
        body = _part(await incoming())
        if len(body) > MAX_SINGLE:
            check_size(len(body), body)
        memory.take(len(body), holder)
        return body
    try:
        async with asyncio.timeout(timeout_s):
            return await _read_parts(incoming, memory, holder)
    except TimeoutError as error:
        raise Refusal(
            Code.BODY_TIMEOUT, f"the body was not complete after {timeout_s:g} s"
        ) from error


async def _read_parts(incoming: Incoming, memory: BodyMemory, holder: Hashable) -> bytes:
    parts = bytearray()
    held = 0
    try:
        while True:
            message = await incoming()
            part = _part(message)
            memory.take(len(part), holder)
            held += len(part)
            parts += part
            check_size(len(parts), parts)
            if not message.get("more_body", False):
                return bytes(parts)
    except BaseException:
        memory.give_back(held, holder)
        raise


def _part(message: Message) -> bytes:
    if message["type"] == "http.disconnect":
        raise Disconnected
    part: bytes = message.get("body", b"")
    return part


def check_declared(length: bytes) -> None:
    """Raises Refusal when a Content-Length alone says that the body is too large. One that says
    less proves nothing: bytes are counted as they come."""
    if len(length) >= len(_MAX_DECLARED) and length.isdigit() and int(length) > MAX_ARRAY:
        raise Refusal(Code.TOO_LARGE, f"an array takes at most {MAX_ARRAY} bytes")


def check_size(size: int, body: bytes | bytearray) -> None:
    """Raises Refusal when a body of so many bytes, or one that begins so, is too large."""
    if size <= MAX_SINGLE:
        return
    if not body.lstrip()[:1] == b"[":
        raise Refusal(Code.TOO_LARGE, f"an event takes at most {MAX_SINGLE} bytes")
    if size > MAX_ARRAY:
        raise Refusal(Code.TOO_LARGE, f"an array takes at most {MAX_ARRAY} bytes")
