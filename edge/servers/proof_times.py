"""How long a server takes to prove its writes: one that fsyncs once a second answers late."""

from collections import deque
from statistics import median

SLOW_S = 0.5
_KEPT = 20
_ENOUGH = 3


class ProofTimes:
    """Of the last few. Pure."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=_KEPT)

    def add(self, seconds: float) -> None:
        """One more write was proven, or was not within this time."""
        self._seconds.append(seconds)

    @property
    def is_slow(self) -> bool:
        """Whether half of them took longer than any disk should."""
        return len(self._seconds) >= _ENOUGH and median(self._seconds) > SLOW_S
