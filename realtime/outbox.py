"""The frames of one site on their way out: encoded once, sent to all, the recent ones kept."""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec

from realtime.frames import Delta
from shared.metrics import LIVE_CUT_OFF, LIVE_FRAMES


class Socket(Protocol):
    """One client, as the outbox sees it."""

    def backlog_bytes(self) -> int:
        """What was sent and is still waiting in this process."""

    def cut_off(self) -> None:
        """Close at once, without a closing handshake that the client would not read."""


Broadcast = Callable[[Iterable[Socket], bytes], None]
"""Sends one encoded frame to each socket, without waiting for any."""


class Outbox:
    """``queue_bytes``: a client that lags by more is cut off.

    Frames are kept up to half of that, so that a client which resumes can be sent all of them.
    """

    def __init__(self, broadcast: Broadcast, queue_bytes: int) -> None:
        self._broadcast = broadcast
        self._queue_bytes = queue_bytes
        self._kept: deque[tuple[int, bytes]] = deque()
        self._kept_bytes = 0
        self._dropped_to = -1
        self.sockets: set[Socket] = set()

    def start_at(self, commit: int) -> None:
        """Nothing before ``commit`` is known here."""
        self._dropped_to = commit - 1

    def cut_off_all(self) -> None:
        """What they were sent does not hold any more."""
        for socket in self.sockets:
            socket.cut_off()
        self.sockets.clear()

    def put(self, delta: Delta) -> None:
        """Send to every socket and keep."""
        self._keep(delta.id, self.send(delta))

    def send(self, delta: Delta) -> bytes:
        """Send to every socket; returns the encoded frame."""
        frame = msgspec.json.encode(delta)
        self._cut_off_the_slow()
        LIVE_FRAMES.labels("delta").inc(len(self.sockets))
        self._broadcast(self.sockets, frame)
        return frame

    def since(self, last: int, newest: int) -> list[bytes] | None:
        """The frames that a client which has seen ``last`` may have missed; None: not kept.

        Time passing makes several frames of one commit, so those of ``last`` itself are among
        them: they hold absolute values, and seeing one twice changes nothing.
        """
        if not self._dropped_to < last <= newest:
            return None
        return [frame for commit, frame in self._kept if commit >= last]

    def _keep(self, commit: int, frame: bytes) -> None:
        self._kept.append((commit, frame))
        self._kept_bytes += len(frame)
        while self._kept_bytes > self._queue_bytes // 2:
            self._dropped_to, dropped = self._kept.popleft()
            self._kept_bytes -= len(dropped)

    def _cut_off_the_slow(self) -> None:
        for socket in [s for s in self.sockets if s.backlog_bytes() > self._queue_bytes]:
            self.sockets.discard(socket)
            LIVE_CUT_OFF.inc()
            socket.cut_off()
