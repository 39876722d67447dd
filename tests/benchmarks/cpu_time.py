"""CPU time that processes have used, with all that they ever started."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def cpu_s(*pids: int) -> float:
    """Seconds of these processes and their descendants, those that have ended included."""
    children = _children()
    return sum(_own_s(each) for pid in pids for each in _family(pid, children))


def _family(pid: int, children: dict[int, list[int]]) -> Iterator[int]:
    yield pid
    for child in children.get(pid, ()):
        yield from _family(child, children)


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for folder in _PROC.glob("[0-9]*"):
        with suppress(OSError):
            found.setdefault(int(_fields(int(folder.name))[1]), []).append(int(folder.name))
    return found


def _own_s(pid: int) -> float:
    """Its own, and that of children which were waited for."""
    try:
        return sum(map(int, _fields(pid)[11:15])) * _TICK_S
    except OSError:
        return 0.0


def _fields(pid: int) -> list[str]:
    """What follows the program's name, which may hold anything."""
    return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
