"""What the numbers mean, in plain Python over the raw events: naive, slow, and the judge.

Shares nothing with the API but the words. An event is a dict of the columns of ``events``; a
question is a dict as a client would send it, with both ends of its ``date_range``.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

from tests.oracle.conditions import holds_all
from tests.oracle.groups import Group, Key, group
from tests.oracle.measures import Value, measure, share
from tests.oracle.saved import NOTHING_SAVED, Saved
from tests.oracle.visits import Counted, Event, put_together, there

Question = dict[str, Any]

CONVERTED = ("event:goal", "event:props:")


def answer(
    events: Iterable[Event], commit: int, question: Question, saved: Saved = NOTHING_SAVED
) -> tuple[list[dict[str, Any]], int]:
    """(results as of the commit, how many there are uncut)."""
    counted = put_together(there(events, commit))
    ask = partial(groups_of, counted, saved=saved)
    rows = [
        {
            "metrics": [value_of(ask, question, key, found, m) for m in question["metrics"]],
            "dimensions": list(key),
        }
        for key, found in ask(question).items()
    ]
    rows = in_order(rows, question)
    pagination = question.get("pagination", {})
    offset, limit = pagination.get("offset", 0), pagination.get("limit", 10_000)
    return rows[offset : offset + limit], len(rows)


def groups_of(counted: Sequence[Counted], question: Question, saved: Saved) -> dict[Key, Group]:
    """What is counted under each key of a question's answer."""
    chosen = [
        one
        for one in counted
        if in_range(one.event, question["date_range"])
        and holds_all(one, question.get("filters", []), saved) is True
        and not any(holds_all(one, exclusion, saved) for exclusion in saved.exclusions)
    ]
    return group(chosen, question, saved)


def value_of(
    ask: Callable[[Question], dict[Key, Group]],
    question: Question,
    key: Key,
    found: Group,
    metric: str,
) -> Value:
    """One metric of one row, which may be a share of what another question counts."""
    if metric == "percentage":
        whole = ask({**question, "metrics": ["visitors"], "dimensions": []})[()]
        return share(found.visitors, whole.visitors)
    if metric == "conversion_rate":
        whole = ask({**unconverted(question), "dimensions": []})[()]
        return share(found.visitors, whole.visitors) or 0
    if metric == "group_conversion_rate":
        dimensions = question.get("dimensions", [])
        kept = tuple(v for d, v in zip(dimensions, key, strict=True) if d != "event:goal")
        group = ask(unconverted(question)).get(kept, Group())
        return share(found.visitors, group.visitors) or 0
    return measure(found, metric)


def unconverted(question: Question) -> Question:
    """The same visitors, whether or not they did what is asked about."""
    return {
        **question,
        "metrics": ["visitors"],
        "dimensions": [d for d in question.get("dimensions", []) if d != "event:goal"],
        "filters": [
            tree for tree in question.get("filters", []) if not str(tree[1]).startswith(CONVERTED)
        ],
    }


def in_range(event: Event, ends: Sequence[str]) -> bool:
    """By days of the site, or by instants: the second that is named last is in it whole."""
    first, last = ends
    if len(first) == len("2024-01-01"):
        return bool(date.fromisoformat(first) <= event["day"] <= date.fromisoformat(last))
    until = datetime.fromisoformat(last).replace(microsecond=0) + timedelta(seconds=1)
    return bool(datetime.fromisoformat(first) <= event["ts"] < until)


def in_order(rows: list[dict[str, Any]], question: Question) -> list[dict[str, Any]]:
    """As asked, null last; ties by the dimensions, by code point."""
    dimensions, metrics = question.get("dimensions", []), question["metrics"]
    rows = sorted(rows, key=lambda row: row["dimensions"])
    times = [[d, "asc"] for d in dimensions if d.startswith("time:")][:1]
    for name, direction in reversed(question.get("order_by", [*times, [metrics[0], "desc"]])):
        value = sort_key(name, dimensions, metrics)
        known = [row for row in rows if value(row) is not None]
        known.sort(key=value, reverse=direction == "desc")
        rows = known + [row for row in rows if value(row) is None]
    return rows


def sort_key(
    name: str, dimensions: Sequence[str], metrics: Sequence[str]
) -> Callable[[dict[str, Any]], Any]:
    if name in dimensions:
        return lambda row: row["dimensions"][dimensions.index(name)]

    def value(row: dict[str, Any]) -> Any:
        given = row["metrics"][metrics.index(name)]
        return given["value"] if isinstance(given, dict) else given

    return value
