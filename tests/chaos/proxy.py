"""A TCP proxy that fails as networks do: late, narrow, cut, reset, or deaf on the way back."""

import asyncio
import socket
import struct
from enum import StrEnum

_CHUNK = 64 * 1024
_NO_LINGER = struct.pack("ii", 1, 0)


class Weather(StrEnum):
    """What happens to what passes. ``strength``: seconds for DELAY, bytes a second for NARROW, the
    share of lost packets for LOSS, which is the doing of a Line and not of a proxy."""

    CLEAR = "clear"
    DELAY = "delay"
    NARROW = "narrow"
    CUT = "cut"
    RESET = "reset"
    HOLE = "hole"
    SWALLOW = "swallow"
    LOSS = "loss"


class Proxy:
    """Listens on 127.0.0.1, or where it is told to, and passes on to one port of 127.0.0.1. For
    one event loop."""

    def __init__(self, target_port: int, listening: socket.socket | None = None) -> None:
        self._target_port = target_port
        self._listening = listening or socket.create_server(("127.0.0.1", 0))
        self._weather = Weather.CLEAR
        self._strength = 0.0
        self._clear = asyncio.Event()
        self._clear.set()
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    @property
    def host(self) -> str:
        """Where it listens."""
        return str(self._listening.getsockname()[0])

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listening.getsockname()[1])

    async def start(self) -> None:
        """From now on it passes on."""
        self._server = await asyncio.start_server(self._serve, sock=self._listening)

    async def stop(self) -> None:
        """Every connection is reset."""
        self._reset()
        if self._server is not None:
            self._server.close()

    async def set_weather(self, weather: Weather, strength: float = 0.0) -> None:
        """A RESET ends every connection, and new ones pass. After a SWALLOW every connection is
        reset: replies are missing on it, and no client could know to which commands."""
        ends_swallowing = self._weather is Weather.SWALLOW
        self._weather, self._strength = weather, strength
        if weather in (Weather.CLEAR, Weather.RESET):
            self._clear.set()
        else:
            self._clear.clear()
        if ends_swallowing or weather in (Weather.CUT, Weather.RESET):
            self._reset()

    def _reset(self) -> None:
        for writer in self._open:
            _end(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._weather is Weather.CUT:
            _end(writer)
            return
        try:
            there = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            _end(writer)
            return
        ends = {writer, there[1]}
        self._open |= ends
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass_on(reader, there[1], back=False))
                both.create_task(self._pass_on(there[0], writer, back=True))
        except* OSError:
            pass
        finally:
            self._open -= ends
            for end in ends:
                _end(end)

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, back: bool
    ) -> None:
        while data := await reader.read(_CHUNK):
            if await self._survives(data, back):
                writer.write(data)
                await writer.drain()
        # One side has ended: the other must hear of it, and both directions end together.
        raise ConnectionResetError

    async def _survives(self, data: bytes, back: bool) -> bool:
        """Hold a chunk up as the weather wants; False when it is lost on the way."""
        if self._weather is Weather.HOLE:
            await self._clear.wait()
        elif self._weather is Weather.DELAY:
            await asyncio.sleep(self._strength)
        elif self._weather is Weather.NARROW:
            await asyncio.sleep(len(data) / self._strength)
        return not (back and self._weather is Weather.SWALLOW)


def _end(writer: asyncio.StreamWriter) -> None:
    """With a reset, not an orderly end."""
    if not writer.transport.is_closing():
        plain: socket.socket = writer.get_extra_info("socket")
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        writer.transport.abort()
