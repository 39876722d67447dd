"""What is counted under each key, in plain Python."""

from collections.abc import Sequence
from itertools import product
from typing import Any

from tests.oracle.conditions import holds_all
from tests.oracle.saved import Saved
from tests.oracle.visits import Counted, Event, Visit

Key = tuple[str, ...]

VISIT_METRICS = ("visits", "views_per_visit", "bounce_rate", "visit_duration")
ENGAGED_METRICS = ("time_on_page", "scroll_depth")


class Group:
    """What is counted under one key."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.visits: dict[int, Visit] = {}
        self.engaged: list[tuple[Event, Visit]] = []

    @property
    def visitors(self) -> int:
        """Distinct visitor-days."""
        return len({(e["day"], e["visitor"]) for e in self.events if e["visitor"] is not None})


def group(chosen: Sequence[Counted], question: dict[str, Any], saved: Saved) -> dict[Key, Group]:
    """Events by their values, visits by theirs: the page of a visit is its entry page. A key is
    there when something was counted under it that is asked for."""
    dimensions, metrics = question.get("dimensions", []), question["metrics"]
    groups: dict[Key, Group] = {} if dimensions else {(): Group()}
    at_entry = ["visit:entry_page" if d == "event:page" else d for d in dimensions]
    of_visits = any(metric in VISIT_METRICS for metric in metrics)
    of_engagement = any(metric in ENGAGED_METRICS for metric in metrics)
    of_events = any(metric not in VISIT_METRICS + ENGAGED_METRICS for metric in metrics)
    for counted in chosen:
        if counted.is_engagement:
            says_something = (counted.event["engaged_ms"], counted.event["scroll_pct"]) != (
                None,
                None,
            )
            if of_engagement and counted.visit and says_something:
                for key in keys_of(counted, dimensions, saved):
                    found = groups.setdefault(key, Group())
                    found.engaged.append((counted.event, counted.visit))
            continue
        if of_events:
            for key in keys_of(counted, dimensions, saved):
                groups.setdefault(key, Group()).events.append(counted.event)
        if counted.visit and of_visits:
            for key in keys_of(counted, at_entry, saved):
                groups.setdefault(key, Group()).visits[id(counted.visit)] = counted.visit
    return groups


def keys_of(counted: Counted, dimensions: Sequence[str], saved: Saved) -> list[Key]:
    """Every key that an event counts under: none, one, or one for each goal it matches."""
    places: list[list[str]] = []
    for dimension in dimensions:
        if dimension == "event:goal":
            places.append(
                [n for n, tree in saved.goals.items() if holds_all(counted, tree, saved) is True]
            )
        else:
            value = counted.value(dimension)
            places.append([] if value is None else [value])
    return list(product(*places))
