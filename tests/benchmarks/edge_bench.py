"""What both benchmarks of the edge share: pinned servers, distinct beacons, verified counts."""

import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from redis import Redis

from infrastructure.local.ports import free_ports
from infrastructure.local.redis_server import RedisServer
from tests.benchmarks.context import Context
from tests.benchmarks.http_load import Run, load
from tests.edge_processes import AS_SHIPPED, ROOT, EdgeProcesses, edge_processes, wait_for

SERVER_CORE = 0
OTHER_CORE = 1
SECONDS = 3.0
PAIRS = 5
DISTINCT = 20_000


def beacon(number: int) -> dict[str, Any]:
    """Some 300 bytes with headers' worth of variety, no two alike."""
    return {
        "site": "shop.example",
        "name": "pageview",
        "url": f"https://shop.example/section/{number % 97}/article-{number}?utm_source=news",
        "referrer": "https://www.google.com/",
        "title": f"Article {number} of the shop",
        "id": str(uuid4()),
        "width": 1200 + number % 700,
        "props": {"plan": "pro", "n": number},
    }


def request(number: int, body: bytes) -> bytes:
    """A POST as a proxy passes it on: address and user agent of its own."""
    address = ".".join(str(random.randrange(1, 255)) for _ in range(4))
    agent = f"Mozilla/5.0 (X11; Linux x86_64; rv:{number}.0) Gecko/20100101 Firefox/{number}.0"
    head = (
        "POST /track HTTP/1.1\r\nhost: edge.example\r\n"
        f"user-agent: {agent}\r\naccept: */*\r\naccept-language: en-GB,en;q=0.8\r\n"
        "content-type: text/plain;charset=UTF-8\r\norigin: https://shop.example\r\n"
        f"x-forwarded-for: {address}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def singles() -> list[bytes]:
    """Requests of one event each."""
    return [request(n, json.dumps(beacon(n)).encode()) for n in range(DISTINCT)]


def arrays(events: int) -> list[bytes]:
    """Requests of so many events each."""
    return [
        request(n, json.dumps([beacon(n * events + k) for k in range(events)]).encode())
        for n in range(DISTINCT // events)
    ]


@contextmanager
def pinned_edge(context: Context) -> Iterator[tuple[EdgeProcesses, int]]:
    """An edge of one worker on a core of its own, and that worker's pid."""
    os.sched_setaffinity(0, {OTHER_CORE})
    for redis in (context.stack.primary, context.stack.spool):
        if isinstance(redis, RedisServer):
            os.sched_setaffinity(redis.pid, {OTHER_CORE})
    settings = {"edge_trusted_proxies": "127.0.0.1", **AS_SHIPPED}
    stack = context.stack
    state = context.folder / "state"
    with edge_processes(stack.primary_url, stack.spool_url, state, **settings) as edge:
        edge.start_edge()
        wait_for(lambda: edge.readiness()["ready"])
        (pid,) = edge.worker_pids()
        os.sched_setaffinity(pid, {SERVER_CORE})
        yield edge, pid


@contextmanager
def pinned_bare() -> Iterator[tuple[int, int]]:
    """Bare uvicorn on the same core: its port and pid."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "tests.benchmarks.bare_uvicorn", str(port)]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        wait_for(lambda: _answers(port))
        os.sched_setaffinity(process.pid, {SERVER_CORE})
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(10)


def load_edge(
    context: Context, edge: EdgeProcesses, pid: int, requests: list[bytes], events: int
) -> Run:
    """One run, whose every acknowledged event is found in a stream, and no other."""
    stack = context.stack
    with Redis.from_url(stack.primary_url) as primary, Redis.from_url(stack.spool_url) as spool:
        primary.delete("ingest:test")
        spool.delete("ingest:test")
        run = load(edge.port, requests, SECONDS, pid)
        seen = _stored_events(primary)
        at_primary = sum(seen.values())
        seen |= _stored_events(spool)
    stored = sum(seen.values())
    if run.refused or stored != run.requests * events:
        raise RuntimeError(
            f"{run.requests * events} acknowledged, {stored} stored ({at_primary} at the primary),"
            f" {run.refused} refused"
        )
    if stored != at_primary:
        context.say(f"  {stored - at_primary} of {stored} went to the spool")
    return run


def _stored_events(redis: Any) -> dict[tuple[bytes, bytes], int]:
    seen: dict[tuple[bytes, bytes], int] = {}
    start = "-"
    while entries := redis.xrange("ingest:test", start, count=500):
        for _, fields in entries:
            seen[fields[b"boot"], fields[b"seq"]] = int(fields[b"n"])
        start = "(" + entries[-1][0].decode()
    return seen


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    time.sleep(0.2)
    return True
