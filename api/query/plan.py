"""What an answer needs to be counted from, decided before any SQL is written."""

import msgspec

from api.query.filters import leaves
from api.query.parse import Query
from api.query.vocabulary import METRICS, Kind, Side


class Plan(msgspec.Struct, frozen=True):
    """``event_metrics`` and ``visit_metrics`` of the query; ``visits``: whether events must be
    put together to visits at all; ``event_columns``: of each event, beside when and who;
    ``visit_dimensions``: what must be known of each visit."""

    event_metrics: tuple[str, ...]
    visit_metrics: tuple[str, ...]
    visits: bool
    event_columns: frozenset[str]
    visit_dimensions: frozenset[str]


def make_plan(query: Query) -> Plan:
    """The least that answers the query."""
    used = {*query.dimensions, *(leaf.dimension for leaf in leaves(query.filters))}
    of_visits = {dimension.name for dimension in used if dimension.kind is Kind.VISIT}
    visit_metrics = _of_side(query, Side.VISITS)
    columns = {dimension.column for dimension in used if dimension.kind is not Kind.TIME}
    if visit_metrics and "event:page" in {dimension.name for dimension in query.dimensions}:
        of_visits.add("visit:entry_page")
    return Plan(
        _of_side(query, Side.EVENTS),
        visit_metrics,
        bool(visit_metrics or of_visits),
        frozenset(columns),
        frozenset(of_visits),
    )


def _of_side(query: Query, side: Side) -> tuple[str, ...]:
    return tuple(metric for metric in query.metrics if METRICS[metric] is side)
