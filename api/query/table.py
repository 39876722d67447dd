"""The rows of an answer, from whatever counts."""

from collections.abc import Sequence

import msgspec

from api.query.fold import Values, resolve
from api.query.labels import label
from api.query.measures import MEASURES, Sums
from api.query.names import shown
from api.query.ordering import cut_by_source, in_order, named
from api.query.parse import Query
from api.query.shares import counts_of, tallies_beside
from api.query.sums import Counted, Cut, Key, Tally
from api.query.vocabulary import Kind
from api.query.wire import Row, Value


class Table(msgspec.Struct, frozen=True):
    """``total``: how many rows there are uncut. ``nothing``: the metrics of a row that is not
    there. ``several_currencies``: whether some revenue does not add up."""

    rows: list[Row]
    total: int
    nothing: list[Value]
    several_currencies: bool


async def resolved(values: Values, query: Query) -> Query:
    """The query with plain lists of values for all that engines are not trusted with. Raises
    Refusal."""
    goals = query.goals
    trees = (query.filters, query.unconverted, *(goal.tree for goal in goals))
    filters, unconverted, *reached = await resolve(values, trees)
    return msgspec.structs.replace(
        query,
        filters=filters,
        unconverted=unconverted,
        goals=tuple(
            msgspec.structs.replace(goal, tree=tree)
            for goal, tree in zip(goals, reached, strict=True)
        ),
    )


def wanted(query: Query, whole: bool = False) -> list[tuple[Tally, Cut | None]]:
    """What must be counted for a query's table, over its range. ``whole``: every row, in any
    order."""
    own = tally_of(query), None if whole else cut_by_source(query)
    return [own, *((tally, None) for tally in tallies_beside(query).values())]


def table_of(query: Query, counted: Sequence[Counted], whole: bool = False) -> Table:
    """From the groups of what was ``wanted``."""
    tally, (own, *others) = tally_of(query), counted
    beside = zip(tallies_beside(query), others, strict=True)
    counts = counts_of(query, {which: other.groups for which, other in beside})
    lines = {
        _shown(query, key): counts.line(key, named(tally, sums)) for key, sums in own.groups.items()
    }
    total = len(lines) if own.total is None else own.total
    if own.total is None and not whole:
        lines = in_order(query, lines)
    nothing = counts.line(None, dict.fromkeys(tally.sums, 0))
    rows = [Row(_metrics(query, line), _labels(query, key)) for key, line in lines.items()]
    return Table(rows, total, _metrics(query, nothing), counts.has_several_currencies())


def tally_of(query: Query) -> Tally:
    """The integer sums that the metrics are made from."""
    sums = dict.fromkeys(name for metric in query.metrics for name in MEASURES[metric].sums)
    return Tally(query.dimensions, query.filters, tuple(sums), query.goals)


def _shown(query: Query, key: Key) -> Key:
    pairs = zip(query.dimensions, key, strict=True)
    return tuple(shown(dimension, value) for dimension, value in pairs)


def _metrics(query: Query, line: Sums) -> list[Value]:
    return [MEASURES[name](line) for name in query.metrics]


def _labels(query: Query, key: Key) -> list[str]:
    return [
        label(value) if dimension.kind is Kind.TIME else value
        for value, dimension in zip(key, query.dimensions, strict=True)
    ]
