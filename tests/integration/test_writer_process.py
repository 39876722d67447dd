"""``python -m writer`` as the runner starts it."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infrastructure.local.ports import free_ports
from infrastructure.local.redis_server import RedisServer
from tests.writer_world import (
    SEAL_KEY,
    SIGNING_KEY,
    FakeEdge,
    envelope,
    put_edge,
    put_site,
    standing,
)


@contextmanager
def started(
    module: str, environment: dict[str, str], *instead: str
) -> Iterator[subprocess.Popen[bytes]]:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    process = subprocess.Popen(
        [sys.executable, *(instead or ("-m", module))],
        env={**inherited, **environment},
        cwd=Path(__file__).resolve().parents[2],
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_until_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
                assert answer.status == 200
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"not ready; exit code {process.poll()}")


def settings(database: str, primary: str, port: int) -> dict[str, str]:
    return {
        "MILLRACE_POSTGRES_URL": database,
        "MILLRACE_PRIMARY_URL": primary,
        "MILLRACE_SIGNING_KEY": SIGNING_KEY,
        "MILLRACE_SEAL_KEYS": SEAL_KEY,
        "MILLRACE_WRITER_PORT": str(port),
    }


def test_it_gets_ready_and_ends_cleanly_on_sigterm(database: str, primary: str) -> None:
    put_site(database)
    put_edge(database)
    [port] = free_ports(1)
    with started("writer", settings(database, primary, port)) as process:
        wait_until_ready(port, process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_a_taken_port_is_said_in_one_sentence(database: str, primary: str) -> None:
    put_edge(database)
    [port] = free_ports(1)
    with started("writer", settings(database, primary, port)) as first:
        wait_until_ready(port, first)
        with started("writer", settings(database, primary, port)) as second:
            assert second.wait(60) == 1
            assert second.stderr is not None
            said = second.stderr.read().decode()
    assert f"port {port} is taken" in said.lower()
    assert "Traceback" not in said


def test_a_missing_setting_is_named(database: str, primary: str) -> None:
    environment = settings(database, primary, 1)
    del environment["MILLRACE_SEAL_KEYS"]
    with started("writer", environment) as process:
        assert process.wait(60) == 2
        assert process.stderr is not None
        assert b"MILLRACE_SEAL_KEYS is not set" in process.stderr.read()


DYING = """
import sys
import writer.__main__
import writer.consume
writer.consume._count = lambda outcomes: [].pop()
sys.exit(writer.__main__.main())
"""


@pytest.mark.parametrize("is_primary_lost", [False, True])
def test_a_writer_whose_consumer_died_ends_and_says_so_with_its_exit_code(
    database: str, redis_server: Callable[..., RedisServer], is_primary_lost: bool
) -> None:
    put_site(database)
    put_edge(database)
    [port] = free_ports(1)
    primary = redis_server()
    environment = settings(database, primary.url, port)
    with started("writer", environment, "-c", DYING) as process:
        wait_until_ready(port, process)
        with primary.client() as client:
            client.xadd("ingest:e1", dict(FakeEdge().entry([envelope()]).fields))
        if is_primary_lost:
            primary.stop()
        assert process.wait(60) == 1
        assert process.stderr is not None
        assert "has died" in process.stderr.read().decode()
    assert len(standing(database)) == 1
