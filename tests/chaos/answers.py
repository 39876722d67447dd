"""The answers to every query about the served site, to be compared byte for byte."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx

from api.query.vocabulary import DIMENSIONS, GOAL, METRICS, Base, Kind, Side
from tests.chaos.load import SERVED, SPAN_MS

_PAIRS = (
    ("event:page", "event:name"),
    ("time:hour", "event:page"),
    ("time:day", "visit:browser"),
    ("visit:source", "visit:entry_page"),
)
_FILTERS: tuple[list[Any], ...] = (
    ["is", "visit:browser", ["Firefox"]],
    ["contains", "event:page", ["/page/1"]],
    ["is_not", "visit:source", ["Bing"]],
)


def questions(from_ms: int) -> Iterator[dict[str, Any]]:
    """Every metric by every dimension that it can be asked by, some pairs, some filters."""
    ends = (from_ms, from_ms + SPAN_MS)
    asked = {
        "site_id": SERVED,
        "date_range": [datetime.fromtimestamp(ms // 1_000, UTC).isoformat() for ms in ends],
        "pagination": {"limit": 10_000},
    }
    single = [(name,) for name in DIMENSIONS if name != GOAL]
    for dimensions in ((), *single, *_PAIRS):
        yield {**asked, "metrics": metrics_for(dimensions), "dimensions": list(dimensions)}
    by_page = metrics_for(("event:page",))
    for one in _FILTERS:
        yield {**asked, "metrics": by_page, "dimensions": ["event:page"], "filters": [one]}


def metrics_for(dimensions: tuple[str, ...]) -> list[str]:
    """All that can be asked by these: an event's property has no visits, but for its page."""
    by_event = any(
        DIMENSIONS[name].kind is Kind.EVENT and name != "event:page" for name in dimensions
    )
    possible = {Side.EVENTS} if by_event else {Side.EVENTS, Side.VISITS}
    if "event:page" in dimensions and not by_event:
        possible |= {Side.ENGAGEMENT}
    # No goal is set here, of which there could be a rate.
    return [
        name
        for name, metric in METRICS.items()
        if metric.side in possible and metric.base in (None, Base.WHOLE)
    ]


def ask(api_url: str, key: str, from_ms: int) -> dict[str, bytes]:
    """Question → the bytes of its results, or of the status of an answer that has none."""
    answers = {}
    with httpx.Client(
        base_url=api_url,
        headers={"authorization": f"Bearer {key}"},
        timeout=60,
        trust_env=False,
    ) as client:
        for question in questions(from_ms):
            answer = client.post("/api/v2/query", json=question)
            answers[json.dumps(question)] = (
                json.dumps(answer.json()["results"]).encode()
                if answer.status_code == 200
                else b"%d" % answer.status_code
            )
    return answers


def differing(one: dict[str, bytes], other: dict[str, bytes]) -> list[str]:
    """The questions that two stands answer differently, or that one of them does not answer."""
    return [
        question
        for question, results in one.items()
        if results != other[question] or not results.startswith(b"[")
    ]
