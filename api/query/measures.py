"""Metrics made from sums of integers, once, after all sources are merged."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from api.query.money import money
from api.query.wire import Money, Value

Sums = Mapping[str, Any]
"""The integer sums of one group by name; beside them what ``shares`` adds."""


class Measure(NamedTuple):
    """``sums``: the names of what the metric is made from; without ``make`` it is the first."""

    sums: tuple[str, ...]
    make: Callable[[Sums], Value] | None = None

    def __call__(self, sums: Sums) -> Value:
        """The metric of one group."""
        plain: int = sums[self.sums[0]]
        return plain if self.make is None else self.make(sums)


def half_even(numerator: int, denominator: int) -> int:
    """The ratio of two integers, rounded half to even; 0 where there is nothing."""
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


def _time_on_page(sums: Sums) -> int | None:
    visits = sums["engaged_visits"]
    return half_even(sums["engaged_ms"], 1_000 * visits) if visits else None


def _scroll_depth(sums: Sums) -> int | None:
    visits = sums["scroll_visits"]
    return half_even(sums["scroll_pct"], visits) if visits else None


def _percentage(sums: Sums) -> float | None:
    return _share(sums["visitors"], sums["whole"]) if sums["whole"] else None


def _conversion_rate(sums: Sums) -> float:
    return _share(sums["visitors"], sums["unconverted"])


def _group_conversion_rate(sums: Sums) -> float:
    return _share(sums["visitors"], sums["unconverted_group"])


def _share(part: int, whole: int) -> float:
    return half_even(1_000 * part, whole) / 10


def _total_revenue(sums: Sums) -> Money | None:
    return _revenue(sums, 1)


def _average_revenue(sums: Sums) -> Money | None:
    return _revenue(sums, sums["paid"])


def _revenue(sums: Sums, divisor: int) -> Money | None:
    """None where there is no one currency."""
    currency: str | None = sums["currency"]
    return money(currency, half_even(sums["revenue"], divisor)) if currency else None


MEASURES: dict[str, Measure] = {
    "visitors": Measure(("visitors",)),
    "visits": Measure(("visits",)),
    "pageviews": Measure(("pageviews",)),
    "events": Measure(("events",)),
    "views_per_visit": Measure(("views", "visits"), _views_per_visit),
    "bounce_rate": Measure(("bounced", "visits"), _bounce_rate),
    "visit_duration": Measure(("lasted_ms", "visits"), _visit_duration),
    "time_on_page": Measure(("engaged_ms", "engaged_visits"), _time_on_page),
    "scroll_depth": Measure(("scroll_pct", "scroll_visits"), _scroll_depth),
    "percentage": Measure(("visitors",), _percentage),
    "conversion_rate": Measure(("visitors",), _conversion_rate),
    "group_conversion_rate": Measure(("visitors",), _group_conversion_rate),
    # Counted beside, by currency: a row is there when an event is.
    "total_revenue": Measure(("events",), _total_revenue),
    "average_revenue": Measure(("events",), _average_revenue),
}
