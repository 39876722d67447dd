"""The rate of a whole worker, divided fairly among those who want it when it runs short.

One that asks for less than an even part has all it asks for; what it leaves is divided among the
others (max-min fairness). So one site at a hundred times its part takes nothing from the rest,
and nobody shrinks the parts by asking once in the name of each of a thousand sites.
"""

from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

from edge.admission.limits import BURST_S, RateByKey

P = TypeVar("P", bound=Hashable)

WINDOW_S = 1.0
"""The parts follow what was asked for in the window before."""
MOST_PARTIES = 4_096
"""Counted in a window; every party has a part, whether it was counted or not."""
_PLENTY_S = BURST_S / 2
"""Until so much of the burst is used, nobody counts who asks: a dictionary of all addresses costs
a tenth of a beacon's time, and what the parts are does not matter yet."""
_MOST_DEBT_S = 2 * BURST_S
"""Paid back in a burst's time."""


class FairTotal(Generic[P]):
    """``per_s`` events a second in all. A party is whoever has a part of it."""

    def __init__(self, per_s: float) -> None:
        self._per_s = per_s
        self._cost_s = 1.0 / per_s
        self._full_at = 0.0
        self._each: RateByKey[P] = RateByKey(per_s)
        self._asked: dict[P, int] = {}
        self._window_began = 0.0

    def is_short(self, now: float) -> bool:
        """Whether not all can have what they ask for."""
        return self._full_at - now > BURST_S

    def wait_s(self, party: P, now: float) -> float:
        """0 when there is room in all or in the party's own part, else the seconds until there
        is. One that must wait has asked for one event."""
        if not self.is_short(now):
            return 0.0
        wait_s = self._each.wait_s(party, now)
        if wait_s > 0:
            self._count(party, now, 1)
        return wait_s

    def charge(self, party: P, now: float, events: int) -> None:
        """Take them, into debt if need be; not more debt than is paid back in a burst's time."""
        used_s = self._full_at - now
        if used_s > _PLENTY_S:
            self._count(party, now, events)
            if used_s > BURST_S:
                self._each.charge(party, now, events)
        used_s = (used_s if used_s > 0 else 0.0) + events * self._cost_s
        self._full_at = now + (used_s if used_s < _MOST_DEBT_S else _MOST_DEBT_S)

    def _count(self, party: P, now: float, events: int) -> None:
        if now - self._window_began >= WINDOW_S:
            self._begin_window(now)
        asked = self._asked.get(party)
        if asked is not None:
            self._asked[party] = asked + events
        elif len(self._asked) < MOST_PARTIES:
            self._asked[party] = events

    def _begin_window(self, now: float) -> None:
        passed_s = now - self._window_began
        # After a while in which nobody counted, nothing is known of who asks for what.
        is_known = passed_s < 2 * WINDOW_S
        asked_per_s = [asked / passed_s for asked in self._asked.values()] if is_known else []
        self._each.per_s = fair_part(asked_per_s, self._per_s)
        self._asked, self._window_began = {}, now


def fair_part(asked: Iterable[float], total: float) -> float:
    """The most that anyone may have, so that all who ask for less have it, and all together have
    no more than ``total``."""
    left, ordered = total, sorted(asked)
    for served, wanted in enumerate(ordered):
        even = left / (len(ordered) - served)
        if wanted > even:
            return even
        left -= wanted
    return total
