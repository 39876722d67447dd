"""What the numbers mean, in plain Python over the raw events: naive, slow, and the judge.

Shares nothing with the API but the words. An event is a dict of the columns of ``events``; a
question is a dict as a client would send it, with both ends of its ``date_range``.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

Event = dict[str, Any]
Key = tuple[str, ...]

HALF_AN_HOUR = timedelta(minutes=30)
VISIT_METRICS = ("visits", "views_per_visit", "bounce_rate", "visit_duration")


class Visit:
    """A visitor's events of one day without a gap over half an hour, in order."""

    def __init__(self, first: Event) -> None:
        self.events = [first]

    @property
    def pageviews(self) -> list[Event]:
        return [event for event in self.events if event["name"] == "pageview"]

    @property
    def is_bounce(self) -> bool:
        others = [e for e in self.events if e["interactive"] and e["name"] != "pageview"]
        return len(self.pageviews) == 1 and not others

    @property
    def lasted_ms(self) -> int:
        lasted: timedelta = self.events[-1]["ts"] - self.events[0]["ts"]
        return lasted // timedelta(milliseconds=1)

    def value(self, dimension: str) -> str:
        """Of a ``visit:`` dimension."""
        name = dimension.removeprefix("visit:")
        if name == "entry_page":
            return self.pageviews[0]["page"] if self.pageviews else ""
        if name == "exit_page":
            return self.pageviews[-1]["page"] if self.pageviews else ""
        return str(self.events[0][name])


class Counted:
    """An event with its visit, if it has one."""

    def __init__(self, event: Event, visit: Visit | None) -> None:
        self.event = event
        self.visit = visit

    def value(self, dimension: str) -> str | None:
        """None where a visit is asked about that there is not."""
        kind, _, name = dimension.partition(":")
        if kind == "event":
            return str(self.event[name])
        if kind == "visit":
            return self.visit.value(dimension) if self.visit else None
        return time_label(self.event, name)


def answer(
    events: Iterable[Event], commit: int, question: dict[str, Any]
) -> tuple[list[dict[str, Any]], int]:
    """(results as of the commit, how many there are uncut)."""
    chosen = [
        counted
        for counted in put_together(there(events, commit))
        if in_range(counted.event, question["date_range"])
        and all_of(holds(counted, part) for part in question.get("filters", [])) is True
    ]
    groups = group(chosen, question)
    rows = [
        {"metrics": [measure(found, m) for m in question["metrics"]], "dimensions": list(key)}
        for key, found in groups.items()
    ]
    rows = in_order(rows, question)
    pagination = question.get("pagination", {})
    offset, limit = pagination.get("offset", 0), pagination.get("limit", 10_000)
    return rows[offset : offset + limit], len(rows)


def there(events: Iterable[Event], commit: int) -> list[Event]:
    """Those that count, as of a commit, in their order."""
    seen = [
        event
        for event in events
        if event["commit_in"] <= commit
        and (event["commit_out"] is None or event["commit_out"] > commit)
        and event["bot"] is None
        and event["name"] != "engagement"
    ]
    return sorted(seen, key=lambda event: (event["ts"], event["event_id"]))


def put_together(events: Sequence[Event]) -> list[Counted]:
    """Each event with its visit."""
    current: dict[tuple[date, int], Visit] = {}
    counted = []
    for event in events:
        if event["visitor"] is None:
            counted.append(Counted(event, None))
            continue
        who = event["day"], event["visitor"]
        visit = current.get(who)
        if visit is None or event["ts"] - visit.events[-1]["ts"] > HALF_AN_HOUR:
            visit = current[who] = Visit(event)
        else:
            visit.events.append(event)
        counted.append(Counted(event, visit))
    return counted


def in_range(event: Event, ends: Sequence[str]) -> bool:
    """By days of the site, or by instants: the second that is named last is in it whole."""
    first, last = ends
    if len(first) == len("2024-01-01"):
        return bool(date.fromisoformat(first) <= event["day"] <= date.fromisoformat(last))
    until = datetime.fromisoformat(last).replace(microsecond=0) + timedelta(seconds=1)
    return bool(datetime.fromisoformat(first) <= event["ts"] < until)


def holds(counted: Counted, tree: Any) -> bool | None:
    """None: neither yes nor no."""
    operator = tree[0]
    if operator == "and":
        return all_of(holds(counted, part) for part in tree[1])
    if operator == "or":
        return any_of(holds(counted, part) for part in tree[1])
    if operator == "not":
        return opposite(holds(counted, tree[1]))
    value = counted.value(tree[1])
    if value is None:
        return None
    fold: Callable[[str], str] = str
    if len(tree) == 4 and not tree[3].get("case_sensitive", True):
        fold = str.casefold
    wanted = [fold(text) for text in tree[2]]
    value = fold(value)
    if operator in ("is", "is_not"):
        found = value in wanted
    else:
        found = any(text in value for text in wanted)
    return found if operator in ("is", "contains") else not found


def all_of(parts: Iterable[bool | None]) -> bool | None:
    """Kleene's and."""
    known = list(parts)
    return False if False in known else (None if None in known else True)


def any_of(parts: Iterable[bool | None]) -> bool | None:
    """Kleene's or."""
    known = list(parts)
    return True if True in known else (None if None in known else False)


def opposite(part: bool | None) -> bool | None:
    """Kleene's not."""
    return None if part is None else not part


class Group:
    """What is counted under one key."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.visits: dict[int, Visit] = {}


def group(chosen: Sequence[Counted], question: dict[str, Any]) -> dict[Key, Group]:
    """Events by their values, visits by theirs: the page of a visit is its entry page."""
    dimensions, metrics = question.get("dimensions", []), question["metrics"]
    groups: dict[Key, Group] = {} if dimensions else {(): Group()}
    for counted in chosen:
        if any(metric not in VISIT_METRICS for metric in metrics):
            key = key_of(counted, dimensions)
            if key is not None:
                groups.setdefault(key, Group()).events.append(counted.event)
        if counted.visit and any(metric in VISIT_METRICS for metric in metrics):
            at_entry = ["visit:entry_page" if d == "event:page" else d for d in dimensions]
            key = key_of(counted, at_entry)
            assert key is not None
            groups.setdefault(key, Group()).visits[id(counted.visit)] = counted.visit
    return groups


def key_of(counted: Counted, dimensions: Sequence[str]) -> Key | None:
    values = [counted.value(dimension) for dimension in dimensions]
    return None if None in values else tuple(str(value) for value in values)


def measure(found: Group, metric: str) -> int | float:
    """One metric of one group."""
    visits = list(found.visits.values())
    if metric == "visitors":
        return len({(e["day"], e["visitor"]) for e in found.events if e["visitor"] is not None})
    if metric == "events":
        return len(found.events)
    if metric == "pageviews":
        return len([event for event in found.events if event["name"] == "pageview"])
    if metric == "visits":
        return len(visits)
    if not visits:
        return 0
    if metric == "bounce_rate":
        return half_even(100 * sum(visit.is_bounce for visit in visits), len(visits))
    if metric == "visit_duration":
        return half_even(sum(visit.lasted_ms for visit in visits), 1000 * len(visits))
    return half_even(100 * sum(len(visit.pageviews) for visit in visits), len(visits)) / 100


def half_even(numerator: int, denominator: int) -> int:
    """Python rounds fractions so."""
    return round(Fraction(numerator, denominator))


def time_label(event: Event, unit: str) -> str:
    """Of the local hour, day, Monday or first of the month."""
    day: date = event["day"]
    if unit == "hour":
        return f"{day.isoformat()} {event['hour']:02}:00:00"
    if unit == "week":
        return (day - timedelta(days=day.weekday())).isoformat()
    return day.replace(day=1).isoformat() if unit == "month" else day.isoformat()


def in_order(rows: list[dict[str, Any]], question: dict[str, Any]) -> list[dict[str, Any]]:
    """As asked; ties by the dimensions, by code point."""
    dimensions, metrics = question.get("dimensions", []), question["metrics"]
    rows = sorted(rows, key=lambda row: row["dimensions"])
    times = [[d, "asc"] for d in dimensions if d.startswith("time:")][:1]
    for name, direction in reversed(question.get("order_by", [*times, [metrics[0], "desc"]])):
        rows.sort(key=sort_key(name, dimensions, metrics), reverse=direction == "desc")
    return rows


def sort_key(
    name: str, dimensions: Sequence[str], metrics: Sequence[str]
) -> Callable[[dict[str, Any]], Any]:
    if name in dimensions:
        return lambda row: row["dimensions"][dimensions.index(name)]
    return lambda row: row["metrics"][metrics.index(name)]
