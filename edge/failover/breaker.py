"""Whether live beacons go to the primary. Pure: it is told what happened and when."""

from collections.abc import Callable
from enum import StrEnum


class Trouble(StrEnum):
    """Why the breaker opened."""

    REFUSED = "refused"
    HUNG = "hung"
    ERROR = "error"
    WEAK = "weak"


class Breaker:
    """Closed: the primary. Open: the spool, until the drain has proven the primary since.

    A live beacon never closes it: it would have to wait for a primary that may still hang.
    """

    def __init__(self, monotonic_ns: Callable[[], int]) -> None:
        self._monotonic_ns = monotonic_ns
        self._opened_at: int | None = None
        self.on_open: Callable[[Trouble], None] = lambda _: None

    @property
    def is_open(self) -> bool:
        """True while beacons go to the spool."""
        return self._opened_at is not None

    def open(self, trouble: Trouble) -> None:
        """The primary failed; again when it fails while being tried anew."""
        was_open = self.is_open
        self._opened_at = self._monotonic_ns()
        if not was_open:
            self.on_open(trouble)

    def proven_since(self, proven_ns: int) -> bool:
        """Whether a probe that was begun after the breaker opened has succeeded."""
        return self._opened_at is not None and proven_ns > self._opened_at

    def close(self) -> None:
        """The primary is proven and connected."""
        self._opened_at = None
