"""How long a connection is kept for a request that does not come: over a real socket, at a time
that passes by hand."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState

from edge.http.beacon_protocol import BeaconProtocol
from tests.edge_under_test import BEACON, EdgeUnderTest

pytestmark = pytest.mark.anyio

BODY = json.dumps(BEACON).encode()
BEACON_REQUEST = (
    b"POST /track HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\ncontent-length: %d\r\n\r\n%b"
    % (len(BODY), BODY)
)
OTHER_REQUEST = b"GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n"
KEPT_S = 5


class _Timer:
    def __init__(self, at_s: float, call: Callable[[], object]) -> None:
        self.at_s, self.call = at_s, call
        self.is_due = True

    def cancel(self) -> None:
        self.is_due = False


class _HandLoop:
    """The test's own event loop, but for its clock and its timers."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._now_s = 0.0
        self._timers: list[_Timer] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def time(self) -> float:
        return self._now_s

    def call_later(self, delay_s: float, call: Callable[[], object]) -> _Timer:
        self._timers.append(_Timer(self._now_s + delay_s, call))
        return self._timers[-1]

    def pass_s(self, seconds: float) -> None:
        """What falls due meanwhile is called at its time."""
        until_s = self._now_s + seconds
        while due := [each for each in self._timers if each.is_due and each.at_s <= until_s]:
            first = min(due, key=lambda each: each.at_s)
            first.cancel()
            self._now_s = first.at_s
            first.call()
        self._now_s = until_s


class _Client:
    def __init__(
        self, loop: _HandLoop, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.loop, self.reader, self.writer = loop, reader, writer

    async def ask(self, request: bytes) -> int:
        self.writer.write(request)
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].split(b"\r\n", 1)[0]
        await self.reader.readexactly(int(length))
        return int(head.split(b" ", 2)[1])


@asynccontextmanager
async def _connection(edge: EdgeUnderTest) -> AsyncIterator[_Client]:
    config = Config(edge.app, log_config=None, timeout_keep_alive=KEPT_S)
    config.load()
    config.loaded_app = edge.app
    state, loop = ServerState(), _HandLoop()
    asked = cast(asyncio.AbstractEventLoop, loop)
    server = await asyncio.get_running_loop().create_server(
        lambda: BeaconProtocol(config=config, server_state=state, app_state={}, _loop=asked),
        "127.0.0.1",
        0,
    )
    try:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        yield _Client(loop, reader, writer)
        writer.close()
    finally:
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize("request_", [BEACON_REQUEST, OTHER_REQUEST], ids=["short", "long"])
async def test_a_connection_is_closed_so_long_after_its_last_answer(
    edge: EdgeUnderTest, request_: bytes
) -> None:
    async with _connection(edge) as client:
        for _ in range(3):
            await client.ask(request_)
            client.loop.pass_s(KEPT_S * 0.9)
        client.loop.pass_s(KEPT_S * 0.2)
        assert await asyncio.wait_for(client.reader.read(), 60) == b""


async def test_a_connection_is_not_closed_in_the_middle_of_a_request(edge: EdgeUnderTest) -> None:
    async with _connection(edge) as client:
        assert await client.ask(BEACON_REQUEST) == 202
        client.writer.write(BEACON_REQUEST[:-10])
        while not edge.worker.memory.held:  # noqa: ASYNC110
            await asyncio.sleep(0)
        client.loop.pass_s(KEPT_S * 1.3)
        assert await client.ask(BEACON_REQUEST[-10:]) == 202
        assert await client.ask(BEACON_REQUEST) == 202


async def test_both_ways_take_turns_on_one_connection(edge: EdgeUnderTest) -> None:
    async with _connection(edge) as client:
        requests = (BEACON_REQUEST, OTHER_REQUEST, OTHER_REQUEST, BEACON_REQUEST)
        assert [await client.ask(each) for each in requests] == [202, 404, 404, 202]
