"""Measures the primary's clock once a second, and says so when a clock is set."""

import logging

from redis.asyncio import Redis

from edge.clock.capture import CaptureClock
from edge.clock.kept import KeptClock
from shared.clock import US_PER_SECOND
from shared.metrics import (
    EDGE_CLOCK_AHEAD_SECONDS,
    EDGE_CLOCK_ERROR_SECONDS,
    EDGE_CLOCK_KNOWN,
    EDGE_CLOCK_STEPS,
)

_log = logging.getLogger("edge")
TOLD_FROM_US = 2 * US_PER_SECOND
"""A lesser step of a clock is corrected without a word."""


class ClockWatch:
    """Of one worker."""

    def __init__(self, clock: CaptureClock, kept: KeptClock) -> None:
        self._clock = clock
        self._kept = kept
        self._wall_at = clock.wall_against_steady()
        for whose in ("host", "primary"):
            EDGE_CLOCK_STEPS.labels(whose=whose).inc(0)

    async def measure(self, primary: Redis) -> None:
        """One measurement. Raises RedisError, OSError."""
        self._look_at_host()
        try:
            step_us = await self._clock.measure(primary)
        finally:
            self._show()
        self._tell("primary", step_us)
        if self._clock.measured is not None:
            self._kept.write(self._clock.measured)

    def _look_at_host(self) -> None:
        was, self._wall_at = self._wall_at, self._clock.wall_against_steady()
        self._tell("host", self._wall_at - was)

    def _show(self) -> None:
        error_us = self._clock.error_us
        EDGE_CLOCK_KNOWN.set(error_us is not None)
        EDGE_CLOCK_ERROR_SECONDS.set((error_us or 0) / US_PER_SECOND)
        EDGE_CLOCK_AHEAD_SECONDS.set(self._clock.ahead_us / US_PER_SECOND)

    @staticmethod
    def _tell(whose: str, step_us: int) -> None:
        if abs(step_us) < TOLD_FROM_US:
            return
        EDGE_CLOCK_STEPS.labels(whose=whose).inc()
        _log.warning("the %s's clock was set by %+.1f s", whose, step_us / US_PER_SECOND)
