"""Metrics made from sums of integers, once, after all sources are merged."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

Sums = Mapping[str, int]


class Measure(NamedTuple):
    """``sums``: the names of what the metric is made from; without ``make`` it is the first."""

    sums: tuple[str, ...]
    make: Callable[[Sums], int | float] | None = None

    def __call__(self, sums: Sums) -> int | float:
        """The metric of one group."""
        return sums[self.sums[0]] if self.make is None else self.make(sums)


def half_even(numerator: int, denominator: int) -> int:
    """The ratio of two integers ≥ 0, rounded half to even; 0 where there is nothing."""
    if denominator == 0:
        return 0
    whole, rest = divmod(numerator, denominator)
    doubled = 2 * rest
    return whole + (doubled > denominator or (doubled == denominator and whole % 2 == 1))


def _bounce_rate(sums: Sums) -> int:
    return half_even(100 * sums["bounced"], sums["visits"])


def _visit_duration(sums: Sums) -> int:
    return half_even(sums["lasted_ms"], 1_000 * sums["visits"])


def _views_per_visit(sums: Sums) -> float:
    return half_even(100 * sums["views"], sums["visits"]) / 100


MEASURES: dict[str, Measure] = {
    "visitors": Measure(("visitors",)),
    "visits": Measure(("visits",)),
    "pageviews": Measure(("pageviews",)),
    "events": Measure(("events",)),
    "views_per_visit": Measure(("views", "visits"), _views_per_visit),
    "bounce_rate": Measure(("bounced", "visits"), _bounce_rate),
    "visit_duration": Measure(("lasted_ms", "visits"), _visit_duration),
}
