"""The edge and its drain as processes, on Redis servers that a test may break."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from infrastructure.local.ports import free_ports
from shared import keys
from shared.settings import EdgeSettings
from tests.edge_under_test import BEACON, BROWSER, SEAL_KEY, SIGNING_KEY

ROOT = Path(__file__).parent.parent
WITHIN_S = 120.0
"""For what takes a second or two on a quiet machine."""
_ANSWERS_WITHIN_S = 60.0
_PATIENT = {"edge_ping_timeout_s": "10", "spool_timeout_s": "20"}
"""A disk that stalls for a moment makes no hung server: beacons would go to the spool until a drain
has proven the primary."""
AS_SHIPPED = {
    field.name: str(field.default)
    for field in msgspec.structs.fields(EdgeSettings)
    if field.name in _PATIENT
}


class Reply(NamedTuple):
    status: int
    json: Any
    took_ms: float
    retry_after_s: int | None = None

    @property
    def receipt(self) -> str:
        return str(self.json["receipts"][0])


class EdgeProcesses:
    """One edge; ``env`` is what both of its processes are started with."""

    def __init__(self, primary_url: str, spool_url: str, state: Path, **settings: str) -> None:
        self.port, self.ops_port, self.drain_ops_port = free_ports(3)
        self.state = state
        self.env = {
            name: value for name, value in os.environ.items() if not name.startswith("MILLRACE_")
        } | {
            "PYTHONPATH": str(ROOT),
            "MILLRACE_EDGE_NAME": "test",
            "MILLRACE_PRIMARY_URL": primary_url,
            "MILLRACE_SPOOL_URL": spool_url,
            "MILLRACE_CORE_VERIFY_KEY": keys.public_signing_key(SIGNING_KEY),
            "MILLRACE_SEAL_PUBLIC_KEY": keys.public_seal_key(SEAL_KEY),
            "MILLRACE_EDGE_STATE_DIR": str(state),
            "MILLRACE_EDGE_ADDRESS_EVENTS_PER_S": "1000000",
            "MILLRACE_EDGE_TOTAL_EVENTS_PER_S": "1000000",
            "MILLRACE_EDGE_PORT": str(self.port),
            "MILLRACE_EDGE_OPS_PORT": str(self.ops_port),
            "MILLRACE_DRAIN_OPS_PORT": str(self.drain_ops_port),
            **{f"MILLRACE_{name.upper()}": value for name, value in settings.items()},
        }
        self._started: list[subprocess.Popen[bytes]] = []

    def start_edge(self) -> subprocess.Popen[bytes]:
        """Returns when a worker answers, whether it can store or not."""
        process = self._start("edge")
        wait_for(lambda: self.readiness()["workers"])
        return process

    def start_drain(self, settings: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        return self._start("edge.drain", settings)

    def start_both(self) -> None:
        """Returns when a worker answers and the drain has found the primary healthy."""
        self.start_edge()
        self.start_drain()
        wait_for(lambda: self.drain_readiness()["primary_healthy"])

    def readiness(self) -> Any:
        return self._get(self.ops_port, "/readyz") or {"workers": 0, "stores_at": None}

    def drain_readiness(self) -> Any:
        return self._get(self.drain_ops_port, "/readyz") or {"ready": None, "primary_healthy": None}

    def metrics(self) -> str:
        return _metrics(self.ops_port)

    def drain_metrics(self) -> str:
        return _metrics(self.drain_ops_port)

    def post(self, beacon: Any = BEACON, headers: Mapping[str, str] | None = None) -> Reply:
        with _connection(self.port) as connection:
            began = time.monotonic()
            given = {"content-type": "text/plain", "user-agent": BROWSER, **(headers or {})}
            connection.request("POST", "/track", json.dumps(beacon), given)
            answer = connection.getresponse()
            body, took_ms = json.loads(answer.read()), (time.monotonic() - began) * 1_000
            retry_after = answer.getheader("retry-after")
            return Reply(
                answer.status, body, took_ms, None if retry_after is None else int(retry_after)
            )

    def worker_pids(self) -> list[int]:
        from edge.batches.boot_file import read_boots

        return [record.pid for _, alive, record in read_boots(self.state) if alive]

    def stop(self) -> None:
        for process in self._started:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self._started:
            process.wait(WITHIN_S)

    def _start(
        self, module: str, settings: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        env = {**self.env, **(settings or {})}
        process = subprocess.Popen([sys.executable, "-m", module], env=env, cwd=ROOT)
        self._started.append(process)
        return process

    def _get(self, port: int, path: str) -> Any:
        try:
            with _connection(port) as connection:
                connection.request("GET", path)
                return json.loads(connection.getresponse().read())
        except OSError:
            return None


@contextmanager
def edge_processes(
    primary_url: str, spool_url: str, state: Path, **settings: str
) -> Iterator[EdgeProcesses]:
    """Patient unless ``settings`` say AS_SHIPPED, as where a server hangs on purpose."""
    processes = EdgeProcesses(primary_url, spool_url, state, **{**_PATIENT, **settings})
    try:
        yield processes
    finally:
        processes.stop()


def wait_for(found: Callable[[], Any], within_s: float = WITHIN_S) -> Any:
    """The first true answer; asked often, because the other side is a process of its own."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        answer = found()
        if answer:
            return answer
        time.sleep(0.02)
    raise AssertionError(f"not within {within_s:g} s")


def _metrics(port: int) -> str:
    with _connection(port) as connection:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()


@contextmanager
def _connection(port: int) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWERS_WITHIN_S)
    try:
        yield connection
    finally:
        connection.close()
