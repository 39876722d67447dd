"""When a line may be sent: at once, or so many times as fast as the log was written."""


class Pace:
    """``speed``: the log's own time runs so many times faster; None: as fast as it goes.

    Times by the caller's clock in seconds, so that tests move it by hand.
    """

    def __init__(self, speed: float | None, started_s: float) -> None:
        self._speed = speed
        self._started_s = started_s
        self._first_ts_ms: int | None = None

    def wait_s(self, ts_ms: int, now_s: float) -> float:
        """Seconds until a line of this time is due; 0 for one that is late or out of order."""
        if self._speed is None:
            return 0.0
        if self._first_ts_ms is None:
            self._first_ts_ms = ts_ms
        due_s = self._started_s + (ts_ms - self._first_ts_ms) / 1_000 / self._speed
        return max(0.0, due_s - now_s)
