"""Capture time: the primary's clock as this host knows it, never running back within a boot.

The host's wall clock is read once, at start; from then on the steady clock counts and the primary
corrects, so that a step of the wall clock in an outage moves no beacon.
"""

import time

from redis.asyncio import Redis

from shared.clock import US_PER_SECOND, Clock, system_clock


def steady_clock() -> int:
    """Microseconds of CLOCK_MONOTONIC."""
    return time.monotonic_ns() // 1_000


class CaptureClock:
    """``now()`` in microseconds since the epoch."""

    def __init__(self, wall: Clock = system_clock, steady: Clock = steady_clock) -> None:
        self._wall = wall
        self._steady = steady
        self._anchor = wall() - steady()
        self._latest = 0

    def now(self) -> int:
        """Not less than any earlier answer."""
        now = self._steady() + self._anchor
        if now > self._latest:
            self._latest = now
        return self._latest

    def correct(self, primary_us: int, asked_at: int, answered_at: int) -> None:
        """The primary said ``primary_us``, asked and answered at these steady times."""
        self._anchor = primary_us - (asked_at + answered_at) // 2

    @property
    def offset_us(self) -> int:
        """How far this host's wall clock is behind the primary's."""
        return self._steady() + self._anchor - self._wall()

    async def measure(self, primary: Redis) -> None:
        """Ask the primary for its time; half the round trip is taken for the way. RedisError."""
        asked_at = self._steady()
        seconds, micros = await primary.time()
        self.correct(int(seconds) * US_PER_SECOND + int(micros), asked_at, self._steady())
