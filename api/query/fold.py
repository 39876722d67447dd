"""Filters that ignore case, turned into lists of values.

Case folding runs here, in one library, over the values that there are: engines fold differently.
"""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.query.filters import AllOf, AnyOf, Filter, Leaf, Not
from api.query.scope import Scope, whole_days
from writer.tables import events


async def fold_case(db: AsyncConnection, scope: Scope, tree: AllOf) -> AllOf:
    """The same filter without a leaf that ignores case."""
    return AllOf(tuple([await _fold(db, scope, part) for part in tree.parts]))


def matches(leaf: Leaf, value: str) -> bool:
    """Whether a value is what a leaf that ignores case looks for, its negation aside."""
    folded = value.casefold()
    wanted = (text.casefold() for text in leaf.values)
    if leaf.test == "is":
        return folded in wanted
    return any(text in folded for text in wanted)


async def _fold(db: AsyncConnection, scope: Scope, tree: Filter) -> Filter:
    match tree:
        case AllOf(parts):
            return AllOf(tuple([await _fold(db, scope, part) for part in parts]))
        case AnyOf(parts):
            return AnyOf(tuple([await _fold(db, scope, part) for part in parts]))
        case Not(part):
            return Not(await _fold(db, scope, part))
        case Leaf(case_sensitive=True):
            return tree
    return await _fold_leaf(db, scope, tree)


async def _fold_leaf(db: AsyncConnection, scope: Scope, leaf: Leaf) -> Leaf:
    column = events.c[leaf.dimension.column]
    there = await db.scalars(select(column).where(whole_days(scope)).distinct())
    # Visits without a pageview have an empty entry page, which no event need have.
    values = tuple(value for value in {*there, ""} if matches(leaf, value))
    return Leaf("is", leaf.negated, leaf.dimension, values)
