"""Generated questions about generated events."""

from datetime import UTC, timedelta
from typing import Any

from hypothesis import strategies as st

from tests.oracle.traffic import FREE, NAMES, PAGES, TEXTS, Event

EVENT_METRICS = ("visitors", "pageviews", "events")
VISIT_METRICS = ("visits", "views_per_visit", "bounce_rate", "visit_duration")
VISIT_DIMENSIONS = (
    "visit:entry_page",
    "visit:exit_page",
    *(f"visit:{name}" for name in FREE if name != "hostname"),
)
TIME_DIMENSIONS = ("time:hour", "time:day", "time:week", "time:month")
DIMENSIONS = ("event:page", "event:name", "event:hostname", *VISIT_DIMENSIONS, *TIME_DIMENSIONS)

Question = dict[str, Any]


def metrics_for(dimensions: list[str]) -> tuple[str, ...]:
    """All that can be asked by these dimensions."""
    if {"event:name", "event:hostname"} & set(dimensions):
        return EVENT_METRICS
    return EVENT_METRICS + VISIT_METRICS


@st.composite
def question(draw: st.DrawFn, events: list[Event]) -> Question:
    """About a part of the time in which the events lie."""
    dimensions = draw(st.lists(st.sampled_from(DIMENSIONS), max_size=3, unique=True))
    possible = metrics_for(dimensions)
    metrics = draw(st.lists(st.sampled_from(possible), min_size=1, max_size=7, unique=True))
    asked: Question = {
        "metrics": metrics,
        "dimensions": dimensions,
        "date_range": draw(date_range(events)),
        "filters": draw(st.lists(_FILTER, max_size=2)),
    }
    if draw(st.booleans()):
        asked["order_by"] = draw(_order([*metrics, *dimensions]))
    if draw(st.booleans()):
        limit, offset = draw(st.integers(1, 4)), draw(st.integers(0, 4))
        asked["pagination"] = {"limit": limit, "offset": offset}
    return asked


@st.composite
def date_range(draw: st.DrawFn, events: list[Event]) -> list[str]:
    """Days of the site, or instants in some zone or other."""
    first, last = sorted(draw(st.sampled_from(events))["ts"] for _ in range(2))
    if draw(st.booleans()):
        days = sorted(draw(st.sampled_from(events))["day"] for _ in range(2))
        return [day.isoformat() for day in days]
    last += draw(st.sampled_from((timedelta(0), timedelta(minutes=40))))
    return [first.astimezone(UTC).isoformat(), last.astimezone(UTC).isoformat()]


def values_of(dimension: str) -> tuple[str, ...]:
    """What a dimension may hold, and what it may be asked for."""
    if dimension in ("event:page", "visit:entry_page", "visit:exit_page"):
        return PAGES
    return NAMES if dimension == "event:name" else TEXTS


@st.composite
def _leaf(draw: st.DrawFn) -> list[Any]:
    dimension = draw(st.sampled_from([d for d in DIMENSIONS if not d.startswith("time")]))
    operator = draw(st.sampled_from(("is", "is_not", "contains", "contains_not")))
    values = st.sampled_from(values_of(dimension))
    leaf = [operator, dimension, draw(st.lists(values, min_size=1, max_size=3))]
    modifiers = draw(st.sampled_from((None, None, {"case_sensitive": False}, {})))
    return leaf if modifiers is None else [*leaf, modifiers]


_FILTER: st.SearchStrategy[list[Any]] = st.recursive(
    _leaf(),
    lambda parts: st.one_of(
        st.tuples(st.sampled_from(("and", "or")), st.lists(parts, min_size=1, max_size=3)).map(
            list
        ),
        parts.map(lambda part: ["not", part]),
    ),
    max_leaves=4,
)


def _order(names: list[str]) -> st.SearchStrategy[list[list[str]]]:
    one = st.tuples(st.sampled_from(names), st.sampled_from(("asc", "desc"))).map(list)
    return st.lists(one, min_size=1, max_size=3, unique_by=lambda order: order[0])
