"""How long a connection is kept for a request that does not come, over a real socket."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

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
KEPT_S = 1.0


class _Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, request: bytes) -> int:
        self.writer.write(request)
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].split(b"\r\n", 1)[0]
        await self.reader.readexactly(int(length))
        return int(head.split(b" ", 2)[1])

    async def closed_after_s(self) -> float:
        began = time.monotonic()
        assert await self.reader.read() == b""
        return time.monotonic() - began


@asynccontextmanager
async def _connection(edge: EdgeUnderTest) -> AsyncIterator[_Client]:
    config = Config(edge.app, log_config=None, timeout_keep_alive=KEPT_S)  # type: ignore[arg-type]
    config.load()
    config.loaded_app = edge.app
    state, loop = ServerState(), asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: BeaconProtocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    try:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        yield _Client(reader, writer)
        writer.close()
    finally:
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize("request_", [BEACON_REQUEST, OTHER_REQUEST], ids=["short", "long"])
async def test_a_connection_is_closed_so_long_after_its_last_answer(
    edge: EdgeUnderTest, request_: bytes
) -> None:
    async with _connection(edge) as client:
        await client.ask(request_)
        await asyncio.sleep(KEPT_S / 4)
        await client.ask(request_)
        assert await client.closed_after_s() > KEPT_S * 0.9


async def test_a_connection_is_not_closed_in_the_middle_of_a_request(edge: EdgeUnderTest) -> None:
    async with _connection(edge) as client:
        assert await client.ask(BEACON_REQUEST) == 202
        client.writer.write(BEACON_REQUEST[:-10])
        await asyncio.sleep(KEPT_S * 1.3)
        assert await client.ask(BEACON_REQUEST[-10:]) == 202
        assert await client.ask(BEACON_REQUEST) == 202


async def test_both_ways_take_turns_on_one_connection(edge: EdgeUnderTest) -> None:
    async with _connection(edge) as client:
        requests = (BEACON_REQUEST, OTHER_REQUEST, OTHER_REQUEST, BEACON_REQUEST)
        assert [await client.ask(each) for each in requests] == [202, 404, 404, 202]
