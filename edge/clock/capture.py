"""Capture time: the primary's clock as this host knows it, never running back within a boot.

The host's wall clock is read once, at start, and only where nothing better was kept; from then on
the steady clock counts and the primary corrects, so that a step of the wall clock in an outage
moves no beacon. What is known of the primary's clock is a range: it told its time somewhere
between the question and the answer, so a slow answer says little and takes nothing away from what
a quick one said.
"""

import time
from typing import NamedTuple

from redis.asyncio import Redis

from shared.clock import US_PER_SECOND, Clock, system_clock

DRIFT_US_PER_S = 500
"""How far two clocks may part in a second with nobody setting them; what NTP slews by at most."""


def steady_clock() -> int:
    """Microseconds since this machine started, those of its sleep too."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000


class Measured(NamedTuple):
    """At steady time ``at`` the primary's clock was ``at + anchor``, give or take ``error_us``."""

    anchor: int
    error_us: int
    at: int


class CaptureClock:
    """``now()`` in microseconds since the epoch. ``kept``: what an earlier process measured, by
    the same steady clock."""

    def __init__(
        self,
        wall: Clock = system_clock,
        steady: Clock = steady_clock,
        kept: Measured | None = None,
    ) -> None:
        self._wall = wall
        self.steady = steady
        self.measured = kept
        self._anchor = wall() - steady() if kept is None else kept.anchor
        self._latest = 0

    def now(self) -> int:
        """Not less than any earlier answer."""
        now = self.steady() + self._anchor
        if now > self._latest:
            self._latest = now
        return self._latest

    def correct(self, primary_us: int, asked_at: int, answered_at: int) -> int:
        """The primary said ``primary_us``, asked and answered at these steady times. Returns by
        how much its clock has been set since the last time, 0 where nothing proves that it was."""
        least, most = primary_us - answered_at, primary_us - asked_at
        stepped = 0
        if self.measured is not None:
            error_us = self._error_at(self.measured, answered_at)
            if least <= self._anchor + error_us and most >= self._anchor - error_us:
                least = max(least, self._anchor - error_us)
                most = min(most, self._anchor + error_us)
            else:
                stepped = (least + most) // 2 - self._anchor
        self._anchor = (least + most) // 2
        self.measured = Measured(self._anchor, (most - least) // 2 + 1, answered_at)
        return stepped

    @property
    def offset_us(self) -> int:
        """How far this host's wall clock is behind the primary's."""
        return self.steady() + self._anchor - self._wall()

    @property
    def error_us(self) -> int | None:
        """How far ``offset_us`` may be from the truth, unless the primary's clock was set since
        the last measurement; None while there was none."""
        return None if self.measured is None else self._error_at(self.measured, self.steady())

    @property
    def ahead_us(self) -> int:
        """How far ``now()`` is ahead of the primary's clock, because that was set back: for so
        long it stands still."""
        return max(0, self._latest - self.steady() - self._anchor)

    def wall_against_steady(self) -> int:
        """Changes by as much as the host's wall clock is set."""
        return self._wall() - self.steady()

    async def measure(self, primary: Redis) -> int:
        """Ask the primary for its time, and correct by the answer. Raises RedisError, OSError."""
        asked_at = self.steady()
        seconds, micros = await primary.time()
        answered_at = self.steady()
        primary_us = int(seconds) * US_PER_SECOND + int(micros)
        return self.correct(primary_us, asked_at, answered_at)

    @staticmethod
    def _error_at(measured: Measured, at: int) -> int:
        passed_s = max(0, at - measured.at) / US_PER_SECOND
        return measured.error_us + int(passed_s * DRIFT_US_PER_S)
