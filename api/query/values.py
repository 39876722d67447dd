"""The values that a dimension has, from whatever counts: rollups have them at hand."""

from collections.abc import AsyncIterator

from api.query.filters import AllOf
from api.query.fold import Values
from api.query.ranges import Range
from api.query.reading import Reading
from api.query.scope import span
from api.query.sums import Cut, Tally, Wanted
from api.query.vocabulary import Dimension, Kind


def values_in(reading: Reading, wanted: Range, engaged: bool) -> Values:
    """Of the days that a range touches, whole: what a visit has done may lie outside the range.
    ``engaged``: those that only engagement has too."""
    days = span(wanted)
    of_events = ("events", "engaged_visits") if engaged else ("events",)

    async def values(dimension: Dimension, limit: int) -> AsyncIterator[str]:
        sums = ("visits",) if dimension.kind is Kind.VISIT else of_events
        tally = Tally((dimension,), AllOf(()), sums)
        by_value = Cut(((0, False),), limit, 0)
        async for counted in reading.count_apart(days, Wanted(tally, by_value)):
            for (value,) in counted.groups:
                yield value

    return values
