"""Does a fault to a stand, and undoes it."""

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Protocol

from infrastructure.local.redis_server import RedisServer
from tests.chaos.background import Background
from tests.chaos.plan import Fault, Harm
from tests.chaos.proxy import Weather
from tests.chaos.stand import Stand

_TORN = b"*7\r\n$4\r\nXADD\r\n$12\r\ningest:local\r\n$1\r\n*\r\n$4\r\nbody\r\n$900\r\n"
"""The beginning of a write whose end never reached the disk."""


class Process(Protocol):
    """A server or a service."""

    @property
    def pid(self) -> int: ...
    @property
    def running(self) -> bool: ...
    def start(self) -> None: ...
    def kill(self) -> None: ...


class Faults:
    """`away`: services that were killed on purpose and are not to be started yet."""

    def __init__(self, stand: Stand, background: Background, seed: int) -> None:
        self._stand = stand
        self._background = background
        self._random = Random(seed)
        self._stopped: dict[str, list[int]] = {}
        self.away: set[str] = set()

    def begin(self, fault: Fault) -> None:
        """Do it."""
        if isinstance(fault.what, Weather):
            self._set_weather(fault.target, fault.what, fault.strength)
        elif fault.what is Harm.STOP:
            self._stop(fault.target)
        else:
            self._kill(fault.target)

    def end(self, fault: Fault) -> None:
        """Undo it; returns when what was killed is started, which need not be ready."""
        if isinstance(fault.what, Weather):
            self._set_weather(fault.target, Weather.CLEAR, 0.0)
        elif fault.what is Harm.STOP:
            _signal(self._stopped.pop(fault.target), signal.SIGCONT)
        else:
            if fault.what is Harm.TEAR:
                tear(self._redis(fault.target), self._random)
            self._start(fault.target)

    def _set_weather(self, link: str, weather: Weather, strength: float) -> None:
        self._background.run(self._stand.proxies[link].set_weather(weather, strength))

    def _stop(self, target: str) -> None:
        process = self._process("edge" if target == "worker" else target)
        pids = tree(process.pid) if process.running else []
        pids = pids[1:] if target == "worker" else pids
        _signal(pids, signal.SIGSTOP)
        self._stopped[target] = pids

    def _kill(self, target: str) -> None:
        if target == "worker":
            # The supervisor replaces it by itself.
            _signal(tree(self._process("edge").pid)[1:], signal.SIGKILL)
            return
        self.away.add(target)
        process = self._process(target)
        # A backend that outlives its postmaster keeps the next one from starting.
        pids = tree(process.pid)[1:]
        process.kill()
        _signal(pids, signal.SIGKILL)

    def _start(self, target: str) -> None:
        if target != "worker":
            self._process(target).start()
            self.away.discard(target)

    def _process(self, target: str) -> Process:
        servers: dict[str, Process] = {
            "primary": self._stand.primary,
            "spool": self._stand.spool,
            "postgres": self._stand.postgres,
        }
        return servers.get(target) or self._stand.product.services[target]

    def _redis(self, target: str) -> RedisServer:
        return self._stand.primary if target == "primary" else self._stand.spool


def tree(pid: int) -> list[int]:
    """A process and all that it and its children have started; it comes first."""
    found = [pid]
    for each in found:
        with suppress(OSError):
            children = Path(f"/proc/{each}/task/{each}/children").read_text()
            found += map(int, children.split())
    return found


def tear(redis: RedisServer, random: Random) -> None:
    """Append the beginning of a write to the file of a Redis that does not run."""
    files = sorted((redis.folder / "appendonlydir").glob("*.incr.aof"))
    with files[-1].open("ab") as file:
        file.write(_TORN[: random.randrange(1, len(_TORN))])


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
