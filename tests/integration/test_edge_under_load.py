"""Sixty-four clients at once, through a hung, a killed and a returning primary."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

from infrastructure.local.redis_server import RedisServer
from tests.benchmarks.edge_bench import beacon, request
from tests.benchmarks.http_load import load
from tests.edge_processes import edge_processes, wait_for

STREAM = "ingest:test"
NOTICES_A_HANG = {"edge_ping_timeout_s": "0.5", "spool_timeout_s": "8"}
"""By an unanswered PING; and the spool's disk may stall, but not as long as the load waits."""


def test_every_acknowledged_event_is_stored_once_by_its_number_and_no_other(
    redis_server: Callable[..., RedisServer], tmp_path: Path
) -> None:
    primary, spool = redis_server(), redis_server()
    requests = [request(n, json.dumps(beacon(n)).encode()) for n in range(500)]
    with edge_processes(primary.url, spool.url, tmp_path / "state", **NOTICES_A_HANG) as edge:
        edge.start_edge()
        edge.start_drain()
        (pid,) = edge.worker_pids()
        wait_for(lambda: edge.drain_readiness()["primary_healthy"])
        is_over = Event()
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(_load_until, is_over, edge.port, requests, pid)
            try:
                wait_for(lambda: _length(primary) > 5)
                primary.pause()
                wait_for(lambda: _length(spool) > 5)
                primary.resume()
                wait_for(lambda: _length(spool) == 0)
                primary.kill()
                wait_for(lambda: _length(spool) > 5)
                primary.start()
            finally:
                is_over.set()
            answered, refused = running.result()
        wait_for(lambda: _length(spool) == 0)
    assert refused == 0
    assert answered == _events(primary)


def _load_until(is_over: Event, port: int, requests: Sequence[bytes], pid: int) -> tuple[int, int]:
    """(answered, refused)."""
    answered = refused = 0
    while not is_over.is_set():
        run = load(port, requests, 1.0, pid)
        answered, refused = answered + run.requests, refused + run.refused
    return answered, refused


def _length(server: RedisServer) -> int:
    with server.client() as client:
        length: Any = client.xlen(STREAM)
    return int(length)


def _events(server: RedisServer) -> int:
    with server.client() as client:
        entries: Any = client.xrange(STREAM)
    numbers = {(fields[b"boot"], fields[b"seq"]): int(fields[b"n"]) for _, fields in entries}
    return sum(numbers.values())
