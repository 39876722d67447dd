"""Filters that no engine is trusted with, turned into lists of values.

Case folding, regular expressions and names run here, in one library, over the values that there
are: engines fold and match differently.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import msgspec

from api.query.filters import AllOf, Leaf, leaves, mapped
from api.query.names import shown
from api.query.patterns import fits
from api.query.props import ABSENT, is_prop
from api.query.vocabulary import Dimension
from shared.errors import Code, Refusal

MAX_VALUES = 250_000
"""Distinct values that are looked through for one question."""

MAX_CHARACTERS = 8_000_000
"""Of the values kept, which go to the engines."""

MAX_COMPARISONS = 25_000_000
"""Of a value with a text that is looked for: a few seconds of one core."""

Values = Callable[[Dimension, int], AsyncIterator[str]]
"""Every value that a dimension has in the days asked about, up to a number of them; more that it
does not have do no harm."""


_AT_ONCE = 1_000
"""Values that are looked at without letting others go on."""


async def resolve(values: Values, trees: Sequence[AllOf]) -> list[AllOf]:
    """The same filters, with plain lists of values alone. Raises Refusal where there are too many
    to look through."""
    looked_for = {leaf for tree in trees for leaf in leaves(tree) if _is_looked_for(leaf)}
    found: dict[Leaf, Leaf] = {}
    for dimension in {leaf.dimension for leaf in looked_for}:
        asked = [leaf for leaf in looked_for if leaf.dimension == dimension]
        found |= await _look_through(values, dimension, asked)
    return [
        AllOf(tuple(mapped(part, lambda leaf: found.get(leaf, leaf)) for part in tree.parts))
        for tree in trees
    ]


def _is_looked_for(leaf: Leaf) -> bool:
    return not leaf.case_sensitive or leaf.test == "matches" or leaf.dimension.named


async def _look_through(
    values: Values, dimension: Dimension, asked: list[Leaf]
) -> dict[Leaf, Leaf]:
    kept: dict[Leaf, list[str]] = {leaf: [] for leaf in asked}
    most = min(MAX_VALUES, MAX_COMPARISONS // sum(_comparisons(leaf) for leaf in asked))
    seen = characters = 0
    # Visits without a pageview have an empty entry page, which no event need have.
    for leaf in asked:
        _keep(kept, leaf, "")
    async for value in values(dimension, MAX_VALUES + 1):
        seen += 1
        if seen % _AT_ONCE == 0:
            await asyncio.sleep(0)
        for leaf in asked:
            characters += len(value) if value and _keep(kept, leaf, value) else 0
        if seen > most or characters > MAX_CHARACTERS:
            raise _too_many(asked[0])
    return {
        leaf: msgspec.structs.replace(leaf, test="is", values=tuple(texts), case_sensitive=True)
        for leaf, texts in kept.items()
    }


def _comparisons(leaf: Leaf) -> int:
    """With how many texts each value is compared."""
    return len(leaf.values) if leaf.test == "contains" else 1


def _keep(kept: dict[Leaf, list[str]], leaf: Leaf, value: str) -> bool:
    if is_prop(leaf.dimension.column) and value == ABSENT and leaf.test != "is":
        return False
    if not fits(leaf, shown(leaf.dimension, value)):
        return False
    kept[leaf].append(value)
    return True


def _too_many(leaf: Leaf) -> Refusal:
    message = (
        f"`{leaf.dimension.name}` has too many values to look through for so many texts: ask for a "
        "shorter range, or without a pattern and with its case"
    )
    return Refusal(Code.BAD_QUERY, message, field=leaf.place)
