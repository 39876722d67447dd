"""Sums counted from rows in TimescaleDB, integers out: each choice of events is made once."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    FromClause,
    Integer,
    Select,
    Text,
    cast,
    literal,
    null,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.ext.asyncio import AsyncConnection

from api.query.plan import Needs, needs, together
from api.query.scope import Scope
from api.query.statements import (
    TOTAL,
    Relations,
    key,
    select_chosen,
    select_groups,
    select_groups_of,
    select_total,
)
from api.query.sums import Counted, Groups, Key, Tally, Wanted, in_cut_order
from api.query.visits import select_counted, select_numbered, select_visits
from api.query.vocabulary import Dimension, Kind


async def count_rows(db: AsyncConnection, scope: Scope, wanted: Sequence[Wanted]) -> list[Counted]:
    """The groups of tallies with the same filters, over the scope's days."""
    if len(wanted) == 1:
        return [await _count_one(db, scope, wanted[0])]
    found = [dict[Key, tuple[int, ...]]() for _ in wanted]
    totals = [0] * len(wanted)
    for number, values, sums, total in await db.execute(_select_all(scope, wanted)):
        found[number][_key(wanted[number].tally, values)] = tuple(sums)
        totals[number] = total
    return [
        await _counted(db, scope, each, groups, total)
        for each, groups, total in zip(wanted, found, totals, strict=True)
    ]


async def _count_one(db: AsyncConnection, scope: Scope, one: Wanted) -> Counted:
    tally, cut = one
    needed = needs(tally)
    relations = _relations(scope, needed)
    rows = list(await db.execute(select_groups(relations, scope.range, tally, needed, cut)))
    keys = len(tally.dimensions)
    groups: Groups = {tuple(row[:keys]): tuple(row[keys : keys + len(tally.sums)]) for row in rows}
    return await _counted(db, scope, one, groups, rows[0][-1] if rows else 0)


async def _counted(
    db: AsyncConnection, scope: Scope, one: Wanted, groups: Groups, total: int
) -> Counted:
    if one.cut is None:
        return Counted(groups)
    if groups or not one.cut.offset:
        return Counted(in_cut_order(one.tally, one.cut, groups), total)
    needed = needs(one.tally)
    beyond = select_total(_relations(scope, needed), scope.range, one.tally, needed)
    return Counted(groups, int(await db.scalar(beyond) or 0))


def _select_all(scope: Scope, wanted: Sequence[Wanted]) -> Any:
    """A row a group: which tally's, its values as text, its sums, how many groups there are."""
    needed = together([needs(one.tally) for one in wanted])
    relations = _relations(scope, needed)
    # Goals are the site's own: the same in each tally that has some.
    most = max((one.tally for one in wanted), key=lambda tally: len(tally.goals))
    chosen = select_chosen(relations, scope.range, most).cte("chosen")
    return union_all(
        *(_select_packed(chosen, number, one, needed) for number, one in enumerate(wanted))
    )


def _select_packed(chosen: FromClause, number: int, one: Wanted, needed: Needs) -> Select[Any]:
    groups = select_groups_of(chosen, one.tally, needed, one.cut).subquery(f"tally_{number}")
    values = [cast(groups.c[key(index)], Text) for index in range(len(one.tally.dimensions))]
    return select(
        cast(literal(number), Integer).label("number"),
        cast(array(values), ARRAY(Text)).label("values"),
        cast(array([groups.c[name] for name in one.tally.sums]), ARRAY(BigInteger)).label("sums"),
        (null() if one.cut is None else groups.c[TOTAL]).label("total"),
    ).select_from(groups)


def _key(tally: Tally, values: Sequence[str]) -> Key:
    pairs = zip(tally.dimensions, values, strict=True)
    return tuple(_bucket(d, value) if d.kind is Kind.TIME else value for d, value in pairs)


def _bucket(dimension: Dimension, text: str) -> date:
    if dimension.column == "hour":
        return datetime.fromisoformat(text)
    return date.fromisoformat(text)


def _relations(scope: Scope, needed: Needs) -> Relations:
    counted = select_counted(scope, needed)
    if not needed.numbered:
        return Relations(counted, None)
    numbered = select_numbered(counted, needed)
    return Relations(numbered, select_visits(numbered, needed))
