"""Who is here now: visitors by the second in which they were last seen."""

HERE_S = 300


class Present:
    """Counts visitors with an event in the last five minutes, by whole seconds.

    Bounded by the visitors of five minutes: each stands in one second only.
    """

    def __init__(self) -> None:
        self._last: dict[int, int] = {}
        self._by_second: dict[int, set[int]] = {}
        self._forgotten_to = 0

    def see(self, visitor: int, second: int) -> None:
        """Note an event of ``visitor``; one that is older than what is known changes nothing."""
        known = self._last.get(visitor)
        if second < self._forgotten_to or (known is not None and known >= second):
            return
        if known is not None:
            self._by_second[known].discard(visitor)
        self._last[visitor] = second
        self._by_second.setdefault(second, set()).add(visitor)

    def put(self, visitor: int, second: int | None) -> None:
        """Note that ``visitor`` was last seen in ``second`` and not later; None: not at all."""
        known = self._last.pop(visitor, None)
        if known is not None:
            self._by_second[known].discard(visitor)
        if second is not None:
            self.see(visitor, second)

    def merge(self, other: "Present") -> None:
        """See all that ``other`` saw."""
        for visitor, second in other._last.items():
            self.see(visitor, second)

    def count(self, now_s: int) -> int:
        """How many are here at ``now_s``; it never runs back."""
        self._forget_before(now_s - HERE_S + 1)
        return len(self._last)

    def _forget_before(self, second: int) -> None:
        if second <= self._forgotten_to:
            return
        for passed in [each for each in self._by_second if each < second]:
            for visitor in self._by_second.pop(passed):
                del self._last[visitor]
        self._forgotten_to = second
