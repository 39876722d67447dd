"""Visits of many people woven into one endless, seeded stream of events at a given rate."""

import heapq
from collections.abc import Iterator
from itertools import count
from random import Random

from infrastructure.traffic.visit import Planned, Visitor, new_visitor, plan_visit

_WARM_UP_S = 600.0
_SAMPLE = 400
_RETURNS = 0.12
_KNOWN_VISITORS = 2_000


def planned_events(
    seed: int, site: str, events_per_s: float, utc_hour: float = 12.0
) -> Iterator[Planned]:
    """Events in order of `at_s`, from 0 on, without end.

    Visits begin at random moments (a Poisson process). Time begins ten minutes early, unseen: at 0
    people are already reading, so that the rate is steady from the first second.
    """
    rng = Random(seed)  # noqa: S311
    visits = _visits(rng, site, events_per_s / _mean_events(seed, site), utc_hour)
    ahead: list[tuple[float, int, Planned]] = []
    number = count()
    for visit in visits:
        begins_s = visit[0].at_s
        while ahead and ahead[0][0] <= begins_s:
            planned = heapq.heappop(ahead)[2]
            if planned.at_s >= 0:
                yield planned
        for planned in visit:
            heapq.heappush(ahead, (planned.at_s, next(number), planned))


def _visits(
    rng: Random, site: str, visits_per_s: float, utc_hour: float
) -> Iterator[list[Planned]]:
    known: list[Visitor] = []
    at_s = -_WARM_UP_S
    while True:
        at_s += rng.expovariate(visits_per_s)
        visitor = _visitor(rng, known, utc_hour + at_s / 3_600)
        yield plan_visit(rng, site, visitor, at_s)


def _visitor(rng: Random, known: list[Visitor], utc_hour: float) -> Visitor:
    """Somebody who has been here before, or somebody new, who is then remembered."""
    if known and rng.random() < _RETURNS:
        return rng.choice(known)
    visitor = new_visitor(rng, utc_hour)
    if len(known) < _KNOWN_VISITORS:
        known.append(visitor)
    else:
        known[rng.randrange(_KNOWN_VISITORS)] = visitor
    return visitor


def _mean_events(seed: int, site: str) -> float:
    rng = Random(seed)  # noqa: S311
    visits = (plan_visit(rng, site, new_visitor(rng, 12.0), 0.0) for _ in range(_SAMPLE))
    return sum(len(visit) for visit in visits) / _SAMPLE
