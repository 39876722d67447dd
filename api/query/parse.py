"""From the wire to a typed query: whatever cannot be answered is refused here, by its name."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from api.query.filter_reader import Reader, buried, converted
from api.query.filters import AllOf
from api.query.goals import Goal
from api.query.ranges import Range, read_range, resolve_time
from api.query.saved import NOTHING_SAVED, Saved
from api.query.vocabulary import (
    DIMENSIONS,
    GOAL,
    METRICS,
    NAME,
    PAGE,
    PROPS,
    TIME,
    Base,
    Dimension,
    Kind,
    Side,
    find_dimension,
)
from api.query.wire import Comparisons, Include, Mode, Pagination, Question
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
    """A question that can be answered. ``filters``: with the site's exclusions; ``unconverted``:
    the same without what says what visitors did whose share is asked for. ``goals``: where one is
    a dimension."""

    metrics: tuple[str, ...]
    range: Range
    dimensions: tuple[Dimension, ...]
    filters: AllOf
    unconverted: AllOf
    goals: tuple[Goal, ...]
    order: tuple[Order, ...]
    include: Include
    limit: int
    offset: int


def parse(
    question: Question,
    zone: ZoneInfo,
    now: datetime,
    first_day: date | None,
    saved: Saved = NOTHING_SAVED,
) -> Query:
    """``zone``: the site's. ``first_day``: of its first event, needed for ``all`` alone.
    Raises Refusal."""
    wanted = read_range(question.date_range, zone, now, first_day)
    metrics = _read_metrics(question.metrics)
    dimensions = _read_dimensions(question.dimensions, resolve_time(wanted))
    _check_sides(metrics, dimensions)
    reader = Reader(saved)
    filters = reader.read(question.filters)
    _check_pages(question, metrics, dimensions)
    _check_conversions(question, metrics, dimensions)
    excluded = reader.exclusions()
    unconverted = [
        part
        for raw, part in zip(question.filters, filters.parts, strict=True)
        if not converted(raw)
    ]
    order = _read_order(question, metrics, dimensions)
    _check_include(question.include, dimensions)
    _check_pagination(question.pagination)
    return Query(
        metrics,
        wanted,
        dimensions,
        AllOf((*filters.parts, *excluded)),
        AllOf((*unconverted, *excluded)),
        reader.goals() if _asks_goals(dimensions) else (),
        order,
        question.include,
        question.pagination.limit,
        question.pagination.offset,
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
    found = [find_dimension(name) for name in resolved]
    for index, dimension in enumerate(found):
        if dimension is None:
            known = ", ".join((*DIMENSIONS, f"{PROPS}<key>", TIME))
            raise _bad(f"dimensions[{index}]", f"{resolved[index][:40]!r} is none of {known}")
    _check_once("dimensions", resolved)
    return tuple(dimension for dimension in found if dimension is not None)


def _check_once(field: str, names: Sequence[str]) -> None:
    for index, name in enumerate(names):
        if name in names[:index]:
            raise _bad(f"{field}[{index}]", f"`{name}` stands here twice")


def _check_sides(metrics: Sequence[str], dimensions: Sequence[Dimension]) -> None:
    by_event = [d.name for d in dimensions if d.kind is Kind.EVENT and d.name != PAGE]
    by_deed = [name for name in by_event if name in (GOAL, NAME)]
    for index, metric in enumerate(metrics):
        side = METRICS[metric].side
        if by_event and side is Side.VISITS:
            message = f"`{metric}` measures visits, which have no `{by_event[0]}`"
            raise _bad(f"metrics[{index}]", message)
        if by_deed and side is Side.ENGAGEMENT:
            message = f"`{metric}` measures engagement, which has no `{by_deed[0]}`"
            raise _bad(f"metrics[{index}]", message)


def _check_pages(
    question: Question, metrics: Sequence[str], dimensions: Sequence[Dimension]
) -> None:
    """What is measured of pages needs one, as a dimension or in a filter of its own."""
    if PAGE in {d.name for d in dimensions} or any(raw[1] == PAGE for raw in question.filters):
        return
    for index, metric in enumerate(metrics):
        if METRICS[metric].side is Side.ENGAGEMENT:
            message = f"`{metric}` needs `{PAGE}` as a dimension or in a filter"
            raise _bad(f"metrics[{index}]", message)


def _check_conversions(
    question: Question, metrics: Sequence[str], dimensions: Sequence[Dimension]
) -> None:
    """A share of those who reached a goal needs one, and needs to know what it is a share of."""
    for index, metric in enumerate(metrics):
        if METRICS[metric].base not in (Base.UNCONVERTED, Base.UNCONVERTED_GROUP):
            continue
        if not _asks_goals(dimensions) and all(raw[1] != GOAL for raw in question.filters):
            message = f"`{metric}` needs `{GOAL}` as a dimension or in a filter"
            raise _bad(f"metrics[{index}]", message)
        for place, raw in enumerate(question.filters):
            if buried(raw, converted):
                message = f"with `{metric}`, goals and properties cannot stand within others"
                raise _bad(f"filters[{place}]", message)


def _asks_goals(dimensions: Sequence[Dimension]) -> bool:
    return any(dimension.name == GOAL for dimension in dimensions)


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
    if include.time_labels and not any(d.kind is Kind.TIME for d in dimensions):
        raise _bad("include.time_labels", "time labels need a time dimension")
    if isinstance(include.comparisons, Comparisons):
        _check_comparisons(include.comparisons)


def _check_comparisons(asked: Comparisons) -> None:
    field = "include.comparisons.date_range"
    if asked.mode is Mode.CUSTOM and asked.date_range is None:
        raise _bad(field, "say what to compare with: two dates or instants")
    if asked.mode is not Mode.CUSTOM and asked.date_range is not None:
        raise _bad(field, "this goes with the mode `custom`")


def _check_pagination(pagination: Pagination) -> None:
    if not 1 <= pagination.limit <= MAX_LIMIT:
        raise _bad("pagination.limit", f"`limit` is outside 1 to {MAX_LIMIT}")
    if not 0 <= pagination.offset <= MAX_OFFSET:
        raise _bad("pagination.offset", f"`offset` is outside 0 to {MAX_OFFSET}")


def _bad(field: str, message: str) -> Refusal:
    return Refusal(Code.BAD_QUERY, message, field=field)
