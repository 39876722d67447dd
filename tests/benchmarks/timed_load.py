"""``python -m tests.benchmarks.timed_load PORT WORKERS RATE SECONDS``: single beacons, each due at
its own moment, whatever became of those before; how long every one took, from when it was due.

A process of its own. A beacon that found every connection waiting is sent when one is free, and its
wait counts: a server that stalls cannot slow the questions down. Every worker has an equal share
of the connections. Prints ``begun``, and at the end one JSON list of `Beacon`.
"""

import gc
import json
import select
import socket
import subprocess
import sys
import time
from collections import deque
from contextlib import suppress
from statistics import quantiles
from typing import NamedTuple, Self
from uuid import UUID

from shared.receipt import Place, place
from tests.benchmarks.edge_bench import beacon, request
from tests.edge_processes import ROOT

CONNECTIONS = 96
_MOST_TRIES = 2_000
_ANSWERS_WITHIN_S = 15.0


class Beacon(NamedTuple):
    """By CLOCK_MONOTONIC in ns; ``due`` 0: sent to find the worker of a connection. ``status`` 0:
    no answer came. ``receipt`` is empty without one."""

    due: int
    answered: int
    status: int
    receipt: str

    @property
    def took_ms(self) -> float:
        return (self.answered - self.due) / 1e6

    @property
    def place(self) -> Place:
        """Where the edge counted it. For acknowledged ones."""
        found = place(UUID(self.receipt))
        assert found is not None
        return found


class TimedLoad:
    """A context manager: runs in the background from its beginning; ``finish`` waits for it.
    ``before``: what was acknowledged while it got ready, in nobody's figures."""

    def __init__(self, port: int, workers: int, rate: float, seconds: float) -> None:
        self.before: list[Beacon] = []
        self._arguments = [str(each) for each in (port, workers, rate, seconds)]

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.benchmarks.timed_load", *self._arguments]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._process.stdout.readline()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()

    def finish(self) -> list[Beacon]:
        """Every beacon, in the order in which they were due."""
        output, _ = self._process.communicate()
        beacons = [Beacon(*each) for each in json.loads(output)]
        self.before = [each for each in beacons if each.due == 0]
        return beacons[len(self.before) :]


def p99_ms(beacons: list[Beacon]) -> float:
    return quantiles([each.took_ms for each in beacons], n=100)[98]


def send(port: int, workers: int, rate: float, seconds: float) -> list[Beacon]:
    """Until every beacon is answered, or the last of them has waited for long."""
    requests = [request(n, _body(n)) for n in range(int(rate * seconds))]
    connections, before = _connect(port, workers)
    print("begun", flush=True)
    return before + _exchange(connections, requests, 1e9 / rate)


def _connect(port: int, workers: int) -> tuple[list[socket.socket], list[Beacon]]:
    """Connections to every worker by turns. A beacon on each tells by its receipt whose it is."""
    before: list[Beacon] = []
    by_boot: dict[int, list[socket.socket]] = {}
    share = CONNECTIONS // workers
    for number in range(_MOST_TRIES):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(request(number, _body(number)))
        before.append(_judge(0, connection.recv(65_536)))
        by_boot.setdefault(before[-1].place.boot, []).append(connection)
        if len(by_boot) == workers and min(map(len, by_boot.values())) >= share:
            turns = zip(*by_boot.values(), strict=False)
            return [each for turn in turns for each in turn], before
    raise RuntimeError(f"{len(by_boot)} of {workers} workers take connections")


def _body(number: int) -> bytes:
    # Without an id of the client's own: nothing but the edge's number can tell a repetition.
    return json.dumps({**beacon(number), "id": None}).encode()


def _exchange(
    connections: list[socket.socket], requests: list[bytes], every_ns: float
) -> list[Beacon]:
    idle = deque(connections)
    waiting: dict[socket.socket, tuple[int, bytes]] = {}
    found: list[Beacon] = []
    began = time.monotonic_ns()
    last_due = began + int(every_ns * len(requests))
    sent = 0
    while sent < len(requests) or waiting:
        due = began + int(every_ns * sent)
        while sent < len(requests) and idle and due <= time.monotonic_ns():
            connection = idle.popleft()
            connection.sendall(requests[sent])
            waiting[connection] = due, b""
            sent += 1
            due = began + int(every_ns * sent)
        if time.monotonic_ns() > last_due + _ANSWERS_WITHIN_S * 1e9:
            break
        pause_s = (due - time.monotonic_ns()) / 1e9 if idle and sent < len(requests) else 1.0
        # select, because its timeout is in microseconds where epoll's is in milliseconds.
        readable, _, _ = select.select(list(waiting), [], [], max(0.0, pause_s))
        for connection in readable:
            asked, partial = waiting[connection]
            answer = partial + connection.recv(65_536)
            if answer.endswith(b"}"):
                found.append(_judge(asked, answer))
                del waiting[connection]
                idle.append(connection)
            elif answer == partial:
                raise RuntimeError("the edge closed a connection")
            else:
                waiting[connection] = asked, answer
    unanswered = [Beacon(due, time.monotonic_ns(), 0, "") for due, _ in waiting.values()]
    return sorted(found + unanswered)


def _judge(due: int, answer: bytes) -> Beacon:
    answered = time.monotonic_ns()
    head, _, body = answer.partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    receipt = json.loads(body)["receipts"][0] if status == 202 else ""
    return Beacon(due, answered, status, receipt)


if __name__ == "__main__":
    gc.disable()
    _, port, workers, rate, seconds = sys.argv
    print(json.dumps(send(int(port), int(workers), float(rate), float(seconds))))
