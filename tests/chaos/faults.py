"""Does a fault to a stand, and undoes it."""

import math
import os
import shutil
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Protocol

from infrastructure.local.redis_server import RedisServer
from tests.chaos.background import Background
from tests.chaos.plan import Fault, Harm, parts
from tests.chaos.proxy import Weather
from tests.chaos.stand import Stand
from tests.chaos.volume import Volume

_TORN = b"*7\r\n$4\r\nXADD\r\n$12\r\ningest:local\r\n$1\r\n*\r\n$4\r\nbody\r\n$900\r\n"
"""The beginning of a write whose end never reached the disk."""


_AOF = "appendonlydir"
_LINE = "edge-primary"
_EXCUSED_S = 5.0


class Process(Protocol):
    """A server or a service."""

    @property
    def pid(self) -> int: ...
    @property
    def running(self) -> bool: ...
    def start(self) -> None: ...
    def kill(self) -> None: ...


class Faults:
    """`away`: what was killed on purpose and is not to be started yet."""

    def __init__(self, stand: Stand, background: Background, seed: int) -> None:
        self._stand = stand
        self._background = background
        self._random = Random(seed)
        self._stopped: dict[str, list[int]] = {}
        self._full_until: dict[str, float] = {}
        self._copy: dict[str, bytes] = {}
        self.away: set[str] = set()

    def begin(self, fault: Fault) -> None:
        """Do it."""
        if isinstance(fault.what, Weather):
            self._set_weather(fault.target, fault.what, fault.strength)
        elif fault.what is Harm.STOP:
            self._stop(fault.target)
        elif fault.what is Harm.OLD_COPY:
            self._copy = copy_of(self._redis(*parts(fault.target)))
        elif fault.what is Harm.FULL and self._stand.volumes:
            self._full_until[fault.target] = math.inf
            self._stand.volumes[fault.target].fill()
        else:
            if fault.what is Harm.POWER_CUT:
                self._cut_power(fault.target)
            for part in self._processes(fault.target):
                self._kill(part)

    def end(self, fault: Fault) -> None:
        """Undo it; returns when what was killed is started, which need not be ready."""
        if isinstance(fault.what, Weather):
            self._set_weather(fault.target, Weather.CLEAR, 0.0)
        elif fault.what is Harm.STOP:
            _signal(self._stopped.pop(fault.target), signal.SIGCONT)
        elif fault.what is Harm.FULL and self._stand.volumes:
            self._stand.volumes[fault.target].clear()
            self._full_until[fault.target] = time.monotonic() + _EXCUSED_S
        elif fault.what in (Harm.NEW_DISK, Harm.OLD_COPY):
            self._replace_disk(*parts(fault.target))
        else:
            if fault.what is Harm.POWER_CUT:
                for volume in self._volumes(fault.target):
                    volume.restore()
            if fault.what is Harm.TEAR:
                tear(self._redis(fault.target), self._random)
            for part in self._processes(fault.target):
                self._start(part)

    def excuses(self, name: str) -> bool:
        """Whether it may have ended by itself because its disk is, or was just now, full."""
        return self._full_until.get(name, 0.0) > time.monotonic()

    @property
    def excuse_anything(self) -> bool:
        """Whether any server may still end for that reason."""
        return any(map(self.excuses, self._full_until))

    def _replace_disk(self, target: str) -> None:
        redis = self._redis(target)
        if redis.running:
            self._kill(target)
        replace_disk(redis, self._copy)
        self._copy = {}
        self._start(target)

    def _set_weather(self, link: str, weather: Weather, strength: float) -> None:
        if self._stand.line and link == _LINE:
            self._stand.line.loss = strength if weather is Weather.LOSS else 0.0
        self._background.run(self._stand.proxies[link].set_weather(weather, strength))

    def _stop(self, target: str) -> None:
        process = self._process("edge" if target == "worker" else target)
        pids = tree(process.pid) if process.running else []
        pids = pids[1:] if target == "worker" else pids
        _signal(pids, signal.SIGSTOP)
        self._stopped[target] = pids

    def _cut_power(self, target: str) -> None:
        for volume in self._volumes(target):
            volume.cut_power()

    def _volumes(self, target: str) -> list[Volume]:
        return [volume for name, volume in self._stand.volumes.items() if name in parts(target)]

    def _processes(self, target: str) -> tuple[str, ...]:
        return (target,) if target == "worker" else parts(target)

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
        return self._stand.servers.get(target) or self._stand.product.services[target]

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
    files = sorted((redis.folder / _AOF).glob("*.incr.aof"))
    with files[-1].open("ab") as file:
        file.write(_TORN[: random.randrange(1, len(_TORN))])


def copy_of(redis: RedisServer) -> dict[str, bytes]:
    """What its append-only files hold now, by name; its last write may be half in it."""
    return {path.name: path.read_bytes() for path in sorted((redis.folder / _AOF).iterdir())}


def replace_disk(redis: RedisServer, copy: dict[str, bytes]) -> None:
    """Of a Redis that does not run; without a copy it is empty. It is on the disk when this
    returns: the next power cut must not take what no server could have written again."""
    shutil.rmtree(redis.folder / _AOF)
    if copy:
        (redis.folder / _AOF).mkdir()
        for name, held in copy.items():
            (redis.folder / _AOF / name).write_bytes(held)
        if redis.account:
            for path in (redis.folder / _AOF, *(redis.folder / _AOF).iterdir()):
                redis.account.give(path)
    os.sync()


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
