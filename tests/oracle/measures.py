"""Metrics of what is counted, in plain Python; null is None."""

from collections.abc import Callable
from datetime import date
from fractions import Fraction
from typing import Any

from tests.oracle.groups import Group
from tests.oracle.visits import Event, Visit

Value = int | float | dict[str, Any] | None


def measure(found: Group, metric: str) -> Value:
    """One metric of one group alone."""
    return _MEASURES[metric](found)


def visitors(found: Group) -> int:
    return found.visitors


def pageviews(found: Group) -> int:
    return len([event for event in found.events if event["name"] == "pageview"])


def bounce_rate(found: Group) -> int:
    bounces = sum(visit.is_bounce for visit in found.visits.values())
    return ratio(100 * bounces, len(found.visits)) or 0


def visit_duration(found: Group) -> int:
    lasted = sum(visit.lasted_ms for visit in found.visits.values())
    return ratio(lasted, 1000 * len(found.visits)) or 0


def views_per_visit(found: Group) -> float:
    views = sum(len(visit.pageviews) for visit in found.visits.values())
    return (ratio(100 * views, len(found.visits)) or 0) / 100


def time_on_page(found: Group) -> int | None:
    """Whole seconds of engagement for each page that a visit was engaged with."""
    timed = [(e, visit) for e, visit in found.engaged if e["engaged_ms"] is not None]
    engaged_ms = sum(event["engaged_ms"] for event, _ in timed)
    return ratio(engaged_ms, 1000 * len({where(event, visit) for event, visit in timed}))


def scroll_depth(found: Group) -> int | None:
    """The mean of how deep each visit went on each page."""
    deepest: dict[Any, int] = {}
    for event, visit in found.engaged:
        if event["scroll_pct"] is not None:
            place = where(event, visit)
            deepest[place] = max(deepest.get(place, 0), event["scroll_pct"])
    return ratio(sum(deepest.values()), len(deepest))


def total_revenue(found: Group) -> dict[str, Any] | None:
    return money(found, lambda amounts: sum(amounts))


def average_revenue(found: Group) -> dict[str, Any] | None:
    return money(found, lambda amounts: ratio(sum(amounts), len(amounts)) or 0)


def money(found: Group, make: Callable[[list[int]], int]) -> dict[str, Any] | None:
    """None without revenue, and where there are several currencies."""
    paid = [event for event in found.events if event["revenue"] is not None]
    currencies = {event["currency"] for event in paid}
    if len(currencies) != 1:
        return None
    thousandths = make([event["revenue"] for event in paid])
    return {"currency": currencies.pop(), "value": thousandths / 1000}


def share(part: int, whole: int) -> float | None:
    """Tenths of a per cent, as per cent; None of nothing."""
    tenths = ratio(1000 * part, whole)
    return None if tenths is None else tenths / 10


def where(event: Event, visit: Visit) -> tuple[date, int, int, str]:
    return event["day"], event["visitor"], id(visit), event["page"]


def ratio(numerator: int, denominator: int) -> int | None:
    """Rounded half to even, as Python rounds fractions; None of nothing."""
    return round(Fraction(numerator, denominator)) if denominator else None


_MEASURES: dict[str, Callable[[Group], Value]] = {
    "visitors": visitors,
    "events": lambda found: len(found.events),
    "pageviews": pageviews,
    "visits": lambda found: len(found.visits),
    "bounce_rate": bounce_rate,
    "visit_duration": visit_duration,
    "views_per_visit": views_per_visit,
    "time_on_page": time_on_page,
    "scroll_depth": scroll_depth,
    "total_revenue": total_revenue,
    "average_revenue": average_revenue,
}
