"""A closed-loop HTTP load from one thread: each connection sends its next request when answered.

Raw sockets and requests made beforehand, so that it takes a fraction of what it measures.
"""

import itertools
import os
import select
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

CONNECTIONS = 64
_OK = b"HTTP/1.1 202"
_END = b"}"
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Run(NamedTuple):
    """``cpu_s``: what the server's process used. ``busy``: its share of one core."""

    requests: int
    refused: int
    wall_s: float
    cpu_s: float

    @property
    def per_s(self) -> float:
        return self.requests / self.wall_s

    @property
    def busy(self) -> float:
        return self.cpu_s / self.wall_s

    @property
    def cpu_us(self) -> float:
        """CPU time a request."""
        return self.cpu_s / self.requests * 1e6


def load(port: int, requests: Sequence[bytes], seconds: float, pid: int) -> Run:
    """Send for so long, then wait for what is outstanding, so that counts can be compared."""
    poll = select.epoll()
    sockets = {}
    for _ in range(CONNECTIONS):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sockets[connection.fileno()] = connection
        poll.register(connection, select.EPOLLIN)
    began, cpu_began = time.monotonic(), cpu_s(pid)
    answered, refused = _exchange(poll, sockets, requests, began + seconds)
    wall_s, used_s = time.monotonic() - began, cpu_s(pid) - cpu_began
    for connection in sockets.values():
        connection.close()
    poll.close()
    return Run(answered, refused, wall_s, used_s)


def cpu_s(pid: int) -> float:
    """CPU time that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def _exchange(
    poll: select.epoll, sockets: dict[int, socket.socket], requests: Sequence[bytes], until: float
) -> tuple[int, int]:
    following = itertools.cycle(requests)
    partial: dict[int, bytes] = {}
    answered = refused = 0
    outstanding = len(sockets)
    for connection in sockets.values():
        connection.send(next(following))
    while outstanding:
        events = poll.poll(10)
        if not events:
            raise RuntimeError("the server stopped answering")
        more = time.monotonic() < until
        for number, _ in events:
            connection = sockets[number]
            answer = partial.pop(number, b"") + connection.recv(65_536)
            if not answer.endswith(_END):
                # The head comes first; the body of every answer is one JSON object.
                partial[number] = answer
                continue
            if answer.startswith(_OK):
                answered += 1
            else:
                refused += 1
            if more:
                connection.send(next(following))
            else:
                outstanding -= 1
    return answered, refused
