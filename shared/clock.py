"""Wall-clock time, passed in wherever it matters so that tests move it by hand."""

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Returns microseconds since the Unix epoch."""

US_PER_MS = 1_000
US_PER_SECOND = 1_000_000
US_PER_HOUR = 3_600 * US_PER_SECOND
US_PER_DAY = 24 * US_PER_HOUR


def system_clock() -> int:
    """Microseconds since the Unix epoch, by this machine."""
    return time.time_ns() // 1_000
