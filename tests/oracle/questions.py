"""Generated questions about generated events."""

from datetime import UTC, timedelta
from typing import Any

from hypothesis import strategies as st

from tests.oracle.saved import NOTHING_SAVED, Saved
from tests.oracle.traffic import FREE, NAMES, PAGES, PROP_KEYS, TEXTS, Event

EVENT_METRICS = (
    "visitors", "pageviews", "events", "percentage", "total_revenue", "average_revenue",
)  # fmt: skip
VISIT_METRICS = ("visits", "views_per_visit", "bounce_rate", "visit_duration")
PAGE_METRICS = ("time_on_page", "scroll_depth")
CONVERSION_METRICS = ("conversion_rate", "group_conversion_rate")
METRICS = EVENT_METRICS + VISIT_METRICS + PAGE_METRICS + CONVERSION_METRICS

PROP_DIMENSIONS = tuple(f"event:props:{key}" for key in PROP_KEYS)
EVENT_DIMENSIONS = ("event:page", "event:name", "event:hostname", *PROP_DIMENSIONS)
VISIT_DIMENSIONS = (
    "visit:entry_page", "visit:exit_page", "visit:entry_page_hostname", "visit:exit_page_hostname",
    "visit:country_name", "visit:region_name", "visit:city_name",
    *(f"visit:{name}" for name in FREE if name != "hostname"),
)  # fmt: skip
TIME_DIMENSIONS = ("time:hour", "time:day", "time:week", "time:month")
FILTERED = (*EVENT_DIMENSIONS, *VISIT_DIMENSIONS)
DIMENSIONS = (*EVENT_DIMENSIONS, "event:goal", *VISIT_DIMENSIONS, *TIME_DIMENSIONS)

OPERATORS = ("is", "is_not", "contains", "contains_not", "matches", "matches_not")
PATTERNS = ("a", "^/", "^$", "[äA]", "(?i)a", "b$", "^[^/]*$", ".")

Question = dict[str, Any]
Filters = list[list[Any]]


def metrics_for(dimensions: list[str], filters: Filters | None = None) -> tuple[str, ...]:
    """All that can be asked by these dimensions, with these filters."""
    filters = filters or []
    named = {tree[1] for tree in filters if isinstance(tree[1], str)}
    by_event = {d for d in dimensions if d.startswith("event:") and d != "event:page"}
    metrics: tuple[str, ...] = EVENT_METRICS if by_event else EVENT_METRICS + VISIT_METRICS
    if "event:page" in {*dimensions, *named} and not by_event & {"event:name", "event:goal"}:
        metrics += PAGE_METRICS
    if "event:goal" in {*dimensions, *named} and not any(map(buries_a_deed, filters)):
        metrics += CONVERSION_METRICS
    return metrics


def buries_a_deed(tree: list[Any]) -> bool:
    """Whether goals or properties stand within and, or, not."""
    if tree[0] not in ("and", "or", "not"):
        return False
    parts = [tree[1]] if tree[0] == "not" else tree[1]
    return any(
        buries_a_deed(part) or str(part[1]).startswith(("event:goal", "event:props:"))
        for part in parts
    )


@st.composite
def question(draw: st.DrawFn, events: list[Event], saved: Saved = NOTHING_SAVED) -> Question:
    """About a part of the time in which the events lie."""
    possible = [d for d in DIMENSIONS if d != "event:goal" or saved.goals]
    dimensions = draw(st.lists(st.sampled_from(possible), max_size=3, unique=True))
    filters = draw(st.lists(filter_tree(saved), max_size=2))
    known = metrics_for(dimensions, filters)
    metrics = draw(st.lists(st.sampled_from(known), min_size=1, max_size=7, unique=True))
    # What is asked least by chance is asked whenever it can be.
    metrics += [m for m in (*PAGE_METRICS, *CONVERSION_METRICS) if m in known and m not in metrics]
    asked: Question = {
        "metrics": metrics,
        "dimensions": dimensions,
        "date_range": draw(date_range(events)),
        "filters": filters,
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
    if dimension == "event:name":
        return NAMES
    if dimension.startswith("visit:country"):
        return ("", "DE", "FR", "Germany", "germany", "QQ", "Unknown Region", "a")
    if dimension.startswith("event:props:"):
        return ("pro", "Pro", "1", "1.5", "true", "(none)", "none", "", "-20", "x")
    return TEXTS


@st.composite
def saved_by_name(draw: st.DrawFn) -> Saved:
    """Goals, segments (numbered from 1) and now and then an exclusion."""
    tree = st.lists(filter_tree(), min_size=1, max_size=2)
    goals = {name: draw(tree) for name in draw(st.sets(st.sampled_from(("a", "A", "Signup"))))}
    segments = {number: draw(tree) for number in range(1, draw(st.integers(1, 3)))}
    exclusions = draw(st.lists(tree, max_size=1)) if draw(st.integers(0, 3)) == 0 else []
    return Saved(goals, segments, exclusions)


def filter_tree(saved: Saved = NOTHING_SAVED) -> st.SearchStrategy[list[Any]]:
    """Any filter, nested or not."""
    whole = [leaf(FILTERED), leaf(FILTERED), _deed()]
    if saved.goals:
        whole.append(_goal_leaf(sorted(saved.goals)))
    if saved.segments:
        whole.append(_segment_leaf(sorted(saved.segments)))
    return st.recursive(st.one_of(whole), _nested, max_leaves=4)


@st.composite
def leaf(draw: st.DrawFn, dimensions: tuple[str, ...]) -> list[Any]:
    """A simple filter by one of the dimensions."""
    dimension = draw(st.sampled_from(dimensions))
    operator = draw(st.sampled_from(OPERATORS))
    values = st.sampled_from(PATTERNS if "matches" in operator else values_of(dimension))
    plain = [operator, dimension, draw(st.lists(values, min_size=1, max_size=3))]
    modifiers = draw(st.sampled_from((None, None, {"case_sensitive": False}, {})))
    return plain if modifiers is None or "matches" in operator else [*plain, modifiers]


def _nested(parts: st.SearchStrategy[list[Any]]) -> st.SearchStrategy[list[Any]]:
    several = st.lists(parts, min_size=1, max_size=3)
    return st.one_of(
        st.tuples(st.sampled_from(("and", "or")), several).map(list),
        parts.map(lambda part: ["not", part]),
    )


def _deed() -> st.SearchStrategy[list[Any]]:
    part = st.recursive(leaf(EVENT_DIMENSIONS), _nested, max_leaves=2)
    return st.tuples(st.sampled_from(("has_done", "has_not_done")), part).map(list)


def _goal_leaf(names: list[str]) -> st.SearchStrategy[list[Any]]:
    plain = st.lists(st.sampled_from(names), min_size=1, max_size=2)
    exact = st.tuples(st.sampled_from(("is", "is_not")), st.just("event:goal"), plain)
    loose = st.tuples(
        st.sampled_from(("contains", "contains_not")),
        st.just("event:goal"),
        st.sampled_from((["a"], ["S"], ["nothing"])),
        st.sampled_from(({"case_sensitive": False}, {})),
    )
    return st.one_of(exact.map(list), loose.map(list))


def _segment_leaf(numbers: list[int]) -> st.SearchStrategy[list[Any]]:
    plain = st.lists(st.sampled_from(numbers), min_size=1, max_size=2)
    return st.tuples(st.sampled_from(("is", "is_not")), st.just("segment"), plain).map(list)


def _order(names: list[str]) -> st.SearchStrategy[list[list[str]]]:
    one = st.tuples(st.sampled_from(names), st.sampled_from(("asc", "desc"))).map(list)
    return st.lists(one, min_size=1, max_size=3, unique_by=lambda order: order[0])
