"""Which faults come when: derived from the seed alone."""

from collections.abc import Mapping
from enum import StrEnum
from random import Random
from typing import NamedTuple

from tests.chaos.proxy import Weather

MEAN_GAP_S = 2.5
_LONGEST_S = 8.0


class Harm(StrEnum):
    """What is done to a process, a server or a whole host. TEAR leaves half a write at the end of
    an append-only file; after a POWER_CUT nothing is there that was not fsynced; a FULL disk takes
    no further byte. NEW_DISK and OLD_COPY are survived by an edge with a journal alone: the server
    starts empty, or as it was when the fault began."""

    KILL = "kill"
    STOP = "stop"
    TEAR = "tear"
    POWER_CUT = "power cut"
    FULL = "full disk"
    NEW_DISK = "new disk"
    OLD_COPY = "old copy"


class Fault(NamedTuple):
    """``at_s`` after the beginning, for ``lasts_s``; ``strength`` is the weather's."""

    at_s: float
    lasts_s: float
    target: str
    what: Harm | Weather
    strength: float = 0.0

    def __str__(self) -> str:
        return f"{self.at_s:7.1f} s  {self.what} {self.target} for {self.lasts_s:.1f} s"


_PROCESS = (Harm.KILL, Harm.STOP)
_SERVER = (*_PROCESS, Harm.POWER_CUT, Harm.FULL)
_REDIS = (*_SERVER, Harm.TEAR)
_LOSSY_LINK = tuple(weather for weather in Weather if weather is not Weather.CLEAR)
_LINK = tuple(weather for weather in _LOSSY_LINK if weather is not Weather.LOSS)
_EDGE_HOST = ("spool", "edge", "drain")
_CORE_HOST = ("primary", "postgres", "writer", "jobs", "api", "realtime")
PARTS: dict[str, tuple[str, ...]] = {
    # A worker is part of the edge: while one of them is away the other is left alone.
    "worker": ("edge",),
    "primary's disk": ("primary",),
    "edge host": _EDGE_HOST,
    "core host": _CORE_HOST,
    "both Redis": ("primary", "spool"),
    "every host": (*_CORE_HOST, *_EDGE_HOST),
}
"""What a target consists of that is no process or link itself; in the order of starting."""
TARGETS: dict[str, tuple[Harm | Weather, ...]] = {
    "edge": _PROCESS,
    "worker": _PROCESS,
    "drain": _PROCESS,
    "writer": _PROCESS,
    "jobs": _PROCESS,
    "postgres": _SERVER,
    "primary": _REDIS,
    "spool": _REDIS,
    "edge host": (Harm.POWER_CUT,),
    "core host": (Harm.POWER_CUT,),
    "both Redis": (Harm.POWER_CUT,),
    "every host": (Harm.POWER_CUT,),
    "edge-primary": _LOSSY_LINK,
    "writer-primary": _LINK,
    "writer-postgres": _LINK,
}

WITH_JOURNAL = {**TARGETS, "primary's disk": (Harm.NEW_DISK, Harm.OLD_COPY)}
"""The same where every edge has a journal."""


def planned_faults(seed: int, seconds: float, *, journal: bool = False) -> list[Fault]:
    """In the order of their beginning, all over by then; a target has one at a time, and several
    targets have theirs at once."""
    random = Random(seed)
    targets = WITH_JOURNAL if journal else TARGETS
    free_at = {part: 0.0 for target in targets for part in parts(target)}
    faults: list[Fault] = []
    at_s = random.expovariate(1 / MEAN_GAP_S)
    while at_s < seconds - 1:
        fault = _fault(random, targets, at_s, seconds)
        if all(free_at[part] <= at_s for part in parts(fault.target)):
            free_at |= dict.fromkeys(parts(fault.target), at_s + fault.lasts_s)
            faults.append(fault)
        at_s += random.expovariate(1 / MEAN_GAP_S)
    return faults


def parts(target: str) -> tuple[str, ...]:
    """The processes and servers that it consists of, or the link that it is."""
    return PARTS.get(target, (target,))


def _fault(
    random: Random, targets: Mapping[str, tuple[Harm | Weather, ...]], at_s: float, seconds: float
) -> Fault:
    target = random.choice(list(targets))
    what = random.choice(targets[target])
    lasts_s = min(random.uniform(0.2, _LONGEST_S), seconds - at_s)
    return Fault(at_s, lasts_s, target, what, _strength(random, what))


def _strength(random: Random, what: Harm | Weather) -> float:
    if what is Weather.DELAY:
        return random.uniform(0.01, 0.4)
    if what is Weather.LOSS:
        # Now and then nothing gets through at all, not even the beginning of a connection.
        return random.choice((0.02, 0.1, 0.3, 1.0))
    return random.uniform(2_000, 200_000) if what is Weather.NARROW else 0.0
