"""Rates, by the generic cell rate algorithm: one number a key, and bounded memory."""

import math
from typing import Generic, TypeVar

K = TypeVar("K")

BURST_S = 2.0
"""How much of its rate a key may use at once."""
MOST_KEYS = 65_536


# Asked several times for every beacon: a comparison costs a third of `max`.
class Rate:
    """``per_s`` events a second, two seconds' worth at once. A request passes while there is
    any room and is charged in full, so that an array is never too large for a small rate."""

    def __init__(self, per_s: float) -> None:
        self._cost_s = 1.0 / per_s
        self._full_at = 0.0

    def wait_s(self, now: float) -> float:
        """0 when there is room, else the seconds until there is."""
        wait_s = self._full_at - now - BURST_S
        return wait_s if wait_s > 0 else 0.0

    def charge(self, now: float, events: int) -> None:
        """Take them, into debt if need be."""
        full_at = self._full_at
        self._full_at = (full_at if full_at > now else now) + events * self._cost_s

    def carry_over(self, before: "Rate") -> None:
        """Go on from where another stood."""
        self._full_at = before._full_at


class RateByKey(Generic[K]):
    """One rate for each key, which may change. Two generations of keys: a forgotten one starts
    with a full share."""

    def __init__(self, per_s: float, most_keys: int = MOST_KEYS) -> None:
        self.per_s = per_s
        self._half = most_keys // 2
        self._young: dict[K, float] = {}
        self._old: dict[K, float] = {}

    def wait_s(self, key: K, now: float) -> float:
        """0 when there is room, else the seconds until there is."""
        wait_s = self._full_at(key) - now - BURST_S
        return wait_s if wait_s > 0 else 0.0

    def charge(self, key: K, now: float, events: int) -> None:
        """Take them, into debt if need be."""
        full_at = self._full_at(key)
        self._young[key] = (full_at if full_at > now else now) + events / self.per_s
        if len(self._young) > self._half:
            self._old, self._young = self._young, {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def _full_at(self, key: K) -> float:
        return self._young.get(key) or self._old.get(key, 0.0)


def retry_after_s(wait_s: float) -> int:
    """What to tell the client: whole seconds, at least one."""
    return max(1, math.ceil(wait_s))
