"""A way to the primary on which writes arrive and their replies do not."""

import asyncio
from contextlib import suppress
from itertools import count

from edge.ending import end_tasks

_CHUNK = 64 * 1024
_XADD = b"\r\n$4\r\nXADD\r\n"
_HEAD = 32


class SwallowingProxy:
    """Passes everything on, both ways. As long as ``swallowed`` is below ``wanted``, the reply to
    an XADD is thrown away once it has come, and by turns the connection is cut at once, or silent
    until the other side gives it up. For one event loop."""

    def __init__(self, target_port: int) -> None:
        self.port = 0
        self.swallowed = 0
        self.wanted = 0
        self._target_port = target_port
        self._turns = count()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer]
        with suppress(OSError):
            there = await asyncio.open_connection("127.0.0.1", self._target_port)
            ends.append(there[1])
            owed = asyncio.Event()
            both = {
                asyncio.create_task(self._pass_on(owed, reader, there[1])),
                asyncio.create_task(self._pass_back(owed, there[0], writer)),
            }
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            await end_tasks(both)
        for end in ends:
            end.transport.abort()

    async def _pass_on(
        self, owed: asyncio.Event, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                # A worker sends one write at a time: what comes back next is its reply.
                if _XADD in data[:_HEAD] and self.swallowed < self.wanted:
                    owed.set()
                writer.write(data)

    async def _pass_back(
        self, owed: asyncio.Event, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                # Of several that are owed at once, not all may be wanted any more.
                is_wanted = owed.is_set() and self.swallowed < self.wanted
                if not is_wanted or data.startswith(b"-"):
                    owed.clear()
                    writer.write(data)
                    continue
                self.swallowed += 1
                if next(self._turns) % 2:
                    return
                await reader.read()
