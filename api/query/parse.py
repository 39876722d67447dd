"""From the wire to a typed query: whatever cannot be answered is refused here, by its name."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from api.query.filters import AllOf, read_filters
from api.query.ranges import Range, read_range, resolve_time
from api.query.vocabulary import (
    DIMENSIONS,
    METRICS,
    PAGE,
    TIME,
    Dimension,
    Kind,
    Side,
)
from api.query.wire import Include, Pagination, Question
from shared.errors import Code, Refusal

MAX_LIMIT = 10_000
MAX_OFFSET = 2**31 - 1
MAX_DIMENSIONS = 10


class Order(msgspec.Struct, frozen=True):
    """``name``: a metric or dimension of the query."""

    name: str
    descending: bool

    @property
    def direction(self) -> str:
        """As it is written on the wire."""
        return "desc" if self.descending else "asc"


class Query(msgspec.Struct, frozen=True):
    """A question that can be answered."""

    metrics: tuple[str, ...]
    range: Range
    dimensions: tuple[Dimension, ...]
    filters: AllOf
    order: tuple[Order, ...]
    include: Include
    limit: int
    offset: int


def parse(question: Question, zone: ZoneInfo, now: datetime, first_day: date | None) -> Query:
    """``zone``: the site's. ``first_day``: of its first event, needed for ``all`` alone.
    Raises Refusal."""
    wanted = read_range(question.date_range, zone, now, first_day)
    metrics = _read_metrics(question.metrics)
    dimensions = _read_dimensions(question.dimensions, resolve_time(wanted))
    _check_sides(metrics, dimensions)
    filters = read_filters(question.filters)
    order = _read_order(question, metrics, dimensions)
    _check_include(question.include, dimensions)
    _check_pagination(question.pagination)
    pagination = question.pagination
    return Query(
        metrics,
        wanted,
        dimensions,
        filters,
        order,
        question.include,
        pagination.limit,
        pagination.offset,
    )


def _read_metrics(names: Sequence[str]) -> tuple[str, ...]:
    if not names:
        raise _bad("metrics", f"name a metric: {', '.join(METRICS)}")
    for index, name in enumerate(names):
        if name not in METRICS:
            raise _bad(f"metrics[{index}]", f"{name[:40]!r} is none of {', '.join(METRICS)}")
    _check_once("metrics", names)
    return tuple(names)


def _read_dimensions(names: Sequence[str], time: str) -> tuple[Dimension, ...]:
    if len(names) > MAX_DIMENSIONS:
        raise _bad("dimensions", f"there are over {MAX_DIMENSIONS} dimensions")
    resolved = [time if name == TIME else name for name in names]
    for index, name in enumerate(resolved):
        if name not in DIMENSIONS:
            raise _bad(
                f"dimensions[{index}]", f"{name[:40]!r} is none of {', '.join(DIMENSIONS)}, {TIME}"
            )
    _check_once("dimensions", resolved)
    return tuple(DIMENSIONS[name] for name in resolved)


def _check_once(field: str, names: Sequence[str]) -> None:
    for index, name in enumerate(names):
        if name in names[:index]:
            raise _bad(f"{field}[{index}]", f"`{name}` stands here twice")


def _check_sides(metrics: Sequence[str], dimensions: Sequence[Dimension]) -> None:
    by_event = [d.name for d in dimensions if d.kind is Kind.EVENT and d.name != PAGE]
    for index, metric in enumerate(metrics):
        if by_event and METRICS[metric] is Side.VISITS:
            raise _bad(
                f"metrics[{index}]",
                f"`{metric}` measures visits, which have no `{by_event[0]}`",
            )


def _read_order(
    question: Question, metrics: Sequence[str], dimensions: Sequence[Dimension]
) -> tuple[Order, ...]:
    names = [dimension.name for dimension in dimensions]
    if question.order_by is None:
        time = [Order(d.name, False) for d in dimensions if d.kind is Kind.TIME]
        return (*time[:1], Order(metrics[0], True))
    asked = dict(zip(question.dimensions, names, strict=True))
    known = {**asked, **{name: name for name in (*names, *metrics)}}
    return tuple(
        _read_one_order(raw, known, f"order_by[{index}]")
        for index, raw in enumerate(question.order_by)
    )


def _read_one_order(raw: Any, known: dict[str, str], place: str) -> Order:
    if not isinstance(raw, list) or len(raw) != 2:
        raise _bad(place, 'an order is [metric or dimension, "asc" or "desc"]')
    name, direction = raw
    if not isinstance(name, str) or name not in known:
        raise _bad(f"{place}[0]", f"{str(name)[:40]!r} is not asked for")
    if direction not in ("asc", "desc"):
        raise _bad(f"{place}[1]", '"asc" or "desc" stands here')
    return Order(known[name], direction == "desc")


def _check_include(include: Include, dimensions: Sequence[Dimension]) -> None:
    if include.imports:
        raise _bad("include.imports", "imported events are events: there are no others to include")
    if include.time_labels and not any(d.kind is Kind.TIME for d in dimensions):
        raise _bad("include.time_labels", "time labels need a time dimension")


def _check_pagination(pagination: Pagination) -> None:
    if not 1 <= pagination.limit <= MAX_LIMIT:
        raise _bad("pagination.limit", f"`limit` is outside 1 to {MAX_LIMIT}")
    if not 0 <= pagination.offset <= MAX_OFFSET:
        raise _bad("pagination.offset", f"`offset` is outside 0 to {MAX_OFFSET}")


def _bad(field: str, message: str) -> Refusal:
    return Refusal(Code.BAD_QUERY, message, field=field)
