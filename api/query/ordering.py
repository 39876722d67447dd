"""Rows of an answer in the order asked for, and the part of them that is wanted."""

from collections.abc import Mapping

from api.query.measures import MEASURES
from api.query.parse import Query
from api.query.sums import Cut, Groups, Tally


def cut_by_source(query: Query) -> Cut | None:
    """How a source that answers alone may order and cut; None where only merged sums can tell."""
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


def in_order(query: Query, tally: Tally, groups: Groups) -> Groups:
    """Ordered as asked, ties by the dimensions ascending, and cut."""
    names = {dimension.name: index for index, dimension in enumerate(query.dimensions)}
    # Texts compare by code point in Python too. Each sort keeps what the one before it did.
    rows = sorted(groups.items(), key=lambda row: row[0])
    for asked in reversed(query.order):
        if asked.name in names:
            index = names[asked.name]
            rows.sort(key=lambda row: row[0][index], reverse=asked.descending)
        else:
            measure = MEASURES[asked.name]
            rows.sort(key=lambda row: measure(named(tally, row[1])), reverse=asked.descending)
    return dict(rows[query.offset : query.offset + query.limit])


def named(tally: Tally, sums: tuple[int, ...]) -> Mapping[str, int]:
    """The sums of one group by name."""
    return dict(zip(tally.sums, sums, strict=True))
