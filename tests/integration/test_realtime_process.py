import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process

import httpx
import pytest

from infrastructure.local.ports import free_ports
from tests.integration.live_world import ORIGIN, Live, Store, read_snapshot, wait_until

pytestmark = pytest.mark.anyio


async def start(settings: dict[str, str]) -> Process:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MILLRACE_")}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "realtime", env=plain | settings, stderr=asyncio.subprocess.PIPE
    )


def answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False


async def test_the_process_serves_tells_its_state_and_closes_clients_when_it_goes(
    database: str, primary: str
) -> None:
    store = Store(database)
    store.add_site()
    port, ops_port = free_ports(2)
    process = await start(
        {
            "MILLRACE_POSTGRES_URL": database,
            "MILLRACE_PRIMARY_URL": primary,
            "MILLRACE_REALTIME_PORT": str(port),
            "MILLRACE_REALTIME_OPS_PORT": str(ops_port),
            "MILLRACE_API_URL": ORIGIN,
        }
    )
    await wait_until(lambda: answers(f"http://127.0.0.1:{ops_port}/readyz"))
    async with Live(port, store).connect() as client:
        await read_snapshot(client)
        metrics = await asyncio.to_thread(httpx.get, f"http://127.0.0.1:{ops_port}/metrics")
        assert "millrace_live_sockets 1.0" in metrics.text
        process.send_signal(signal.SIGTERM)
        await client.wait_closed()
        assert client.close_code == 1001
    _, errors = await process.communicate()
    assert process.returncode == 0
    assert b"ticket=" not in errors


async def test_a_port_that_is_taken_is_said_in_one_sentence(database: str, primary: str) -> None:
    port, ops_port = free_ports(2)
    settings = {
        "MILLRACE_POSTGRES_URL": database,
        "MILLRACE_PRIMARY_URL": primary,
        "MILLRACE_REALTIME_PORT": str(port),
        "MILLRACE_REALTIME_OPS_PORT": str(ops_port),
    }
    taken = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port)
    async with taken:
        process = await start(settings)
        _, errors = await process.communicate()
    assert process.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}".encode() in errors
    assert b"Traceback" not in errors


async def test_a_missing_setting_is_named() -> None:
    process = await start({})
    _, errors = await process.communicate()
    assert process.returncode == 1
    assert b"MILLRACE_POSTGRES_URL is not set" in errors
