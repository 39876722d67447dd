"""Metrics that are made from more than the sums of their own row: shares of visitors, revenue."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from api.query.measures import Sums
from api.query.parse import Query
from api.query.sums import Groups, Key, Tally
from api.query.vocabulary import CURRENCY, GOAL, METRICS, Base
from api.query.wire import MetricWarning

SEVERAL_CURRENCIES = MetricWarning(
    "several_currencies",
    "Some rows have revenue in several currencies, which do not add up: there it is null.",
)


class Beside(StrEnum):
    """What is counted beside the answer's own groups."""

    WHOLE = Base.WHOLE
    UNCONVERTED = Base.UNCONVERTED
    UNCONVERTED_GROUP = Base.UNCONVERTED_GROUP
    REVENUE = "revenue"


def tallies_beside(query: Query) -> dict[Beside, Tally]:
    """What the metrics asked for need."""
    asked = [METRICS[name] for name in query.metrics]
    needed = {Beside(metric.base) for metric in asked if metric.base is not None}
    needed |= {Beside.REVENUE for metric in asked if metric.money}
    return {which: _tally(which, query) for which in sorted(needed)}


def _tally(which: Beside, query: Query) -> Tally:
    if which is Beside.WHOLE:
        return Tally((), query.filters, ("visitors",))
    if which is Beside.UNCONVERTED:
        return Tally((), query.unconverted, ("visitors",))
    if which is Beside.UNCONVERTED_GROUP:
        kept = tuple(d for d in query.dimensions if d.name != GOAL)
        return Tally(kept, query.unconverted, ("visitors",))
    dimensions = (*query.dimensions, CURRENCY)
    return Tally(dimensions, query.filters, ("revenue", "paid"), query.goals)


class Counts(msgspec.Struct, frozen=True):
    """What was counted beside a query's own groups. ``revenue``: thousandths and how many events
    had some, by key and currency."""

    query: Query
    groups: dict[Beside, Groups]
    revenue: dict[Key, dict[str, tuple[int, int]]]

    def line(self, key: Key | None, sums: Mapping[str, int]) -> Sums:
        """The sums of the group with that key, and what its metrics need beside them. None: of a
        group that is not there."""
        shares = {
            which.value: self._visitors(which, key)
            for which in self.groups
            if which is not Beside.REVENUE
        }
        return {**sums, **shares, **self._revenue(key)}

    def has_several_currencies(self) -> bool:
        """Whether there is revenue that cannot be added up."""
        return any(len(amounts) > 1 for amounts in self.revenue.values())

    def _visitors(self, which: Beside, key: Key | None) -> int:
        if which is not Beside.UNCONVERTED_GROUP:
            key = ()
        elif key is not None:
            pairs = zip(self.query.dimensions, key, strict=True)
            key = tuple(value for dimension, value in pairs if dimension.name != GOAL)
        sums = None if key is None else self.groups[which].get(key)
        return sums[0] if sums else 0

    def _revenue(self, key: Key | None) -> dict[str, str | int | None]:
        if Beside.REVENUE not in self.groups:
            return {}
        amounts = {} if key is None else self.revenue.get(key, {})
        if len(amounts) != 1:
            return {"currency": None, "revenue": 0, "paid": 0}
        ((currency, (revenue, paid)),) = amounts.items()
        return {"currency": currency, "revenue": revenue, "paid": paid}


def counts_of(query: Query, groups: dict[Beside, Groups]) -> Counts:
    """From the groups of each tally beside."""
    revenue: dict[Key, dict[str, tuple[int, int]]] = {}
    for (*key, currency), (total, paid) in groups.get(Beside.REVENUE, {}).items():
        if paid:
            revenue.setdefault(tuple(key), {})[currency] = total, paid
    return Counts(query, groups, revenue)
