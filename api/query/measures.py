"""Metrics made from sums of integers."""

from typing import Any

from sqlalchemy import CTE, BigInteger, ColumnElement, and_, case, cast, func


def measure(grouped: CTE, name: str) -> ColumnElement[Any]:
    """An integer; views_per_visit in hundredths."""
    if name in ("visitors", "events", "pageviews", "visits"):
        return cast(grouped.c[name], BigInteger)
    numerator, scale, per_visit = _RATIOS[name]
    return _half_even(grouped.c[numerator] * scale, grouped.c.visits * per_visit)


_RATIOS = {
    "views_per_visit": ("views", 100, 1),
    "bounce_rate": ("bounced", 100, 1),
    "visit_duration": ("lasted_ms", 1, 1_000),
}
"""(sum over the visits, its factor, factor of the visits): views_per_visit in hundredths."""


def _half_even(numerator: Any, denominator: Any) -> ColumnElement[Any]:
    """The ratio of two integers ≥ 0, rounded half to even; 0 where there is nothing."""
    doubled, twice = 2 * numerator + denominator, 2 * denominator
    up = func.div(doubled, twice)
    is_tie = func.mod(doubled, twice) == 0
    rounded = up - case((and_(is_tie, func.mod(up, 2) == 1), 1), else_=0)
    return cast(case((denominator == 0, 0), else_=rounded), BigInteger)
