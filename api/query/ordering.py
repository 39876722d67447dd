"""Rows of an answer in the order asked for, and the part of them that is wanted."""

from collections.abc import Mapping
from typing import Any

from api.query.measures import MEASURES, Sums
from api.query.parse import Query
from api.query.sums import Cut, Key, Tally
from api.query.wire import Money

Lines = dict[Key, Sums]
"""What each row's metrics are made from."""


def cut_by_source(query: Query) -> Cut | None:
    """How a source that answers alone may order and cut; None where only merged sums can tell, or
    where names decide the order."""
    if any(dimension.named for dimension in query.dimensions):
        return None
    names = {dimension.name: index for index, dimension in enumerate(query.dimensions)}
    order: list[tuple[int | str, bool]] = []
    for asked in query.order:
        if asked.name in names:
            order.append((names[asked.name], asked.descending))
        elif MEASURES[asked.name].make is None:
            order.append((MEASURES[asked.name].sums[0], asked.descending))
        else:
            return None
    return Cut(tuple(order), query.limit, query.offset)


def in_order(query: Query, lines: Lines) -> Lines:
    """Ordered as asked, null last, ties by the dimensions ascending, and cut."""
    names = {dimension.name: index for index, dimension in enumerate(query.dimensions)}
    # Texts compare by code point in Python too. Each sort keeps what the one before it did.
    rows = sorted(lines.items(), key=lambda row: row[0])
    for asked in reversed(query.order):
        if asked.name in names:
            index = names[asked.name]
            rows.sort(key=lambda row: row[0][index], reverse=asked.descending)
            continue
        keyed = [(_amount(asked.name, row[1]), row) for row in rows]
        known = [one for one in keyed if one[0] is not None]
        known.sort(key=lambda one: one[0], reverse=asked.descending)
        rows = [row for _, row in known] + [row for amount, row in keyed if amount is None]
    return dict(rows[query.offset : query.offset + query.limit])


def named(tally: Tally, sums: tuple[int, ...]) -> Mapping[str, int]:
    """The sums of one group by name."""
    return dict(zip(tally.sums, sums, strict=True))


def _amount(metric: str, line: Sums) -> Any:
    value = MEASURES[metric](line)
    return value.value if isinstance(value, Money) else value
