"""How much the drain sends at a time, and how long it rests: live beacons go the same way.

Whatever arrives at a Redis while it takes a slice waits for the whole of it and for its fsync. A
slice is therefore small where the way is short, and rests between two make slices rare. Where a
round trip takes long nobody notices a larger one, and it must be larger to get anywhere.
"""

from collections import deque

from edge.spool.sending import SLICE_BYTES

LEAST_BYTES = 64 * 1024
_ROUND_TRIPS = 5


class Pace:
    """``bytes_per_s`` at most, and ``share`` of its time where the primary itself takes longer than
    that. Pure: it is told how long things took."""

    def __init__(self, bytes_per_s: float, share: float) -> None:
        self._bytes_per_s = bytes_per_s
        self._rest_for_each_s = (1 - share) / share
        self._round_trips_s: deque[float] = deque(maxlen=_ROUND_TRIPS)

    def saw_round_trip(self, took_s: float) -> None:
        """Of a command without data. The least of the last few counts: others waited for us."""
        self._round_trips_s.append(took_s)

    @property
    def slice_bytes(self) -> int:
        """Most bytes of the next slice, unless one entry alone has more."""
        return min(SLICE_BYTES, max(LEAST_BYTES, int(self._round_trip_s * self._bytes_per_s)))

    def rest_s(self, size: int, took_s: float) -> float:
        """How long to rest after a slice of ``size`` bytes. The way there and back disturbs
        nobody."""
        busy_s = max(0.0, took_s - self._round_trip_s)
        return max(busy_s * self._rest_for_each_s, size / self._bytes_per_s - took_s)

    @property
    def _round_trip_s(self) -> float:
        return min(self._round_trips_s, default=0.0)
