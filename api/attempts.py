"""How often somebody may try: a window per name, bounded in memory."""

from collections import OrderedDict

from shared.clock import US_PER_SECOND, Clock

MAX_NAMES = 10_000


class Attempts:
    """At most ``limit`` failures of one name in ``window_s`` seconds.

    A try counts as a failure until it has succeeded, so that a thousand at once are no more than
    one after another.
    """

    def __init__(self, limit: int, window_s: int, clock: Clock) -> None:
        self._limit = limit
        self._window_us = window_s * US_PER_SECOND
        self._clock = clock
        self._failures: OrderedDict[str, list[int]] = OrderedDict()

    def wait_s(self, name: str) -> int:
        """Seconds until the name may try again; 0: now."""
        failures = self._recent(name)
        if len(failures) < self._limit:
            return 0
        left_us = failures[-self._limit] + self._window_us - self._clock()
        return max(1, -(-left_us // US_PER_SECOND))

    def count_try(self, name: str) -> None:
        """Remember one; the longest untouched name is forgotten when there are too many."""
        self._failures[name] = [*self._recent(name), self._clock()][-self._limit :]
        self._failures.move_to_end(name)
        while len(self._failures) > MAX_NAMES:
            self._failures.popitem(last=False)

    def take_back(self, name: str) -> None:
        """The latest try of the name succeeded."""
        self._failures[name] = self._recent(name)[:-1]

    def forget(self, name: str) -> None:
        """The name succeeded, and what failed before it was mistyped."""
        self._failures.pop(name, None)

    def _recent(self, name: str) -> list[int]:
        since = self._clock() - self._window_us
        return [at for at in self._failures.get(name, ()) if at > since]
