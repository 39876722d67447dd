"""A real Redis of our own, configured as the primary and the spool must be."""

import time
from dataclasses import dataclass, field
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from infrastructure.local.account import Account
from infrastructure.local.child import Child
from infrastructure.local.folders import make_folder
from infrastructure.problem import Problem

_START_WITHIN_S = 120.0
_POLL_S = 0.02
_ANSWER_WITHIN_S = 30.0
"""A disk that stalls for a moment is no fault: every write waits for its fsync."""


@dataclass
class RedisServer:
    """A Redis on 127.0.0.1 that fsyncs every write before it answers.

    `max_bytes` bounds its memory: beyond it writes are refused and nothing is evicted. What it
    stored in `folder` is there again after `stop()`/`kill()` and `start()`.
    """

    program: Path
    folder: Path
    port: int
    password: str = field(repr=False)
    max_bytes: int = 0
    account: Account | None = None
    _child: Child | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.running

    @property
    def pid(self) -> int:
        return self._started().pid

    def start(self) -> None:
        """Start it and wait until it answers, which with a large file to load takes a while."""
        if self.running:
            return
        make_folder(self.folder, 0o700)
        if self.account:
            self.account.give(self.folder)
        config = self._write_config()
        self._child = Child([self.program, config], self.folder / "redis.log", account=self.account)
        self._wait_until_ready()

    def stop(self) -> None:
        if self.running:
            self._started().stop()

    def kill(self) -> None:
        self._started().kill()

    def pause(self) -> None:
        """SIGSTOP: connections still open, nothing answers."""
        self._started().pause()

    def resume(self) -> None:
        self._started().resume()

    def client(self) -> redis.Redis:
        """A plain client that never retries; the caller closes it."""
        return redis.Redis.from_url(
            self.url,
            socket_timeout=_ANSWER_WITHIN_S,
            socket_connect_timeout=_ANSWER_WITHIN_S,
            retry=Retry(NoBackoff(), 0),
        )

    def _started(self) -> Child:
        if self._child is None:
            raise Problem(f"The Redis on port {self.port} was never started.")
        return self._child

    def _write_config(self) -> Path:
        path = self.folder / "redis.conf"
        path.touch(0o600)
        # Passwords belong in a file: everybody can read a command line.
        path.write_text(
            f"bind 127.0.0.1\nport {self.port}\nrequirepass {self.password}\n"
            f"dir {self.folder}\nappendonly yes\nappendfsync always\nsave ''\n"
            f"maxmemory {self.max_bytes}\nmaxmemory-policy noeviction\n"
            # Else a damaged command in its file loses every later one, with a line in its log.
            "propagation-error-behavior panic\n"
        )
        if self.account:
            self.account.give(path)
        return path

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_WITHIN_S
        while time.monotonic() < deadline and self.running:
            if self._answers():
                return
            time.sleep(_POLL_S)
        raise Problem(f"Redis did not start on port {self.port}: see {self.folder / 'redis.log'}.")

    def _answers(self) -> bool:
        with self.client() as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False
