"""Which faults come when: derived from the seed alone."""

from enum import StrEnum
from random import Random
from typing import NamedTuple

from tests.chaos.proxy import Weather

MEAN_GAP_S = 2.5
_LONGEST_S = 8.0


class Harm(StrEnum):
    """What is done to a process; TEAR also leaves half a write at the end of an append-only
    file, as a power cut does."""

    KILL = "kill"
    STOP = "stop"
    TEAR = "tear"


class Fault(NamedTuple):
    """``at_s`` after the beginning, for ``lasts_s``; ``strength`` is the weather's."""

    at_s: float
    lasts_s: float
    target: str
    what: Harm | Weather
    strength: float = 0.0

    def __str__(self) -> str:
        return f"{self.at_s:7.1f} s  {self.what} {self.target} for {self.lasts_s:.1f} s"


_REDIS = (Harm.KILL, Harm.STOP, Harm.TEAR)
_PROCESS = (Harm.KILL, Harm.STOP)
_LINK = tuple(weather for weather in Weather if weather is not Weather.CLEAR)
TARGETS: dict[str, tuple[Harm | Weather, ...]] = {
    "edge": _PROCESS,
    "worker": _PROCESS,
    "drain": _PROCESS,
    "writer": _PROCESS,
    "jobs": _PROCESS,
    "postgres": _PROCESS,
    "primary": _REDIS,
    "spool": _REDIS,
    "edge-primary": _LINK,
    "writer-primary": _LINK,
    "writer-postgres": _LINK,
}


def planned_faults(seed: int, seconds: float) -> list[Fault]:
    """In the order of their beginning, all over by then; a target has one at a time, and several
    targets have theirs at once."""
    random = Random(seed)
    free_at = dict.fromkeys(TARGETS, 0.0)
    faults: list[Fault] = []
    at_s = random.expovariate(1 / MEAN_GAP_S)
    while at_s < seconds - 1:
        fault = _fault(random, at_s, seconds)
        if free_at[_owner(fault.target)] <= at_s:
            free_at[_owner(fault.target)] = at_s + fault.lasts_s
            faults.append(fault)
        at_s += random.expovariate(1 / MEAN_GAP_S)
    return faults


def _owner(target: str) -> str:
    # A worker is part of the edge: while one of them is away the other is left alone.
    return "edge" if target == "worker" else target


def _fault(random: Random, at_s: float, seconds: float) -> Fault:
    target = random.choice(list(TARGETS))
    what = random.choice(TARGETS[target])
    lasts_s = min(random.uniform(0.2, _LONGEST_S), seconds - at_s)
    return Fault(at_s, lasts_s, target, what, _strength(random, what))


def _strength(random: Random, what: Harm | Weather) -> float:
    if what is Weather.DELAY:
        return random.uniform(0.01, 0.4)
    return random.uniform(2_000, 200_000) if what is Weather.NARROW else 0.0
