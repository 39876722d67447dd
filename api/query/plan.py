"""What an answer is counted from, decided before any SQL is written: which columns of which
relation, and which site-days from which source."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from enum import StrEnum

import msgspec

from api.query.filters import HasDone, deeds, leaves
from api.query.ranges import Days
from api.query.sums import Tally
from api.query.vocabulary import ENTRY_PAGE, GOAL, PAGE, Kind

OF_EVENTS = ("visitors", "pageviews", "events")
"""Sums over chosen events."""

OF_VISITS = ("visits", "views", "bounced", "lasted_ms")
"""Sums over the visits that hold a chosen event."""

OF_ENGAGEMENT = ("engaged_ms", "engaged_visits", "scroll_pct", "scroll_visits")
"""Sums over chosen engagement, of each page that a visit was engaged with."""

OF_MONEY = ("revenue", "paid")
"""Thousandths, and how many chosen events have some; only by currency do they mean anything."""

_DAY = timedelta(days=1)


class Source(StrEnum):
    """In the order in which they are asked for a site-day."""

    ROLLUPS = "rollups"
    ARCHIVE = "archive"
    ROWS = "rows"


ALL_SOURCES = frozenset(Source)


class Unanswerable(Exception):
    """The sources that are allowed cannot answer; of all three, one always can."""


class Part(msgspec.Struct, frozen=True):
    """Site-days that one source counts, as spans in order without a common day."""

    source: Source
    spans: tuple[Days, ...]


class Needs(msgspec.Struct, frozen=True):
    """``events``, ``visits``, ``engaged`` and ``money``: whether sums over them are asked for, and
    for ``engaged`` the relation holds engagement beside the events; ``numbered``: whether events
    must be put together to visits at all; ``event_columns``: of each event, beside when and who;
    ``visit_dimensions`` and ``deeds``: what must be known of each visit."""

    events: bool
    visits: bool
    engaged: bool
    money: bool
    numbered: bool
    event_columns: frozenset[str]
    visit_dimensions: frozenset[str]
    deeds: tuple[HasDone, ...]


def needs(tally: Tally) -> Needs:
    """The least that the tally is counted from."""
    trees = (tally.filters, *(goal.tree for goal in tally.goals))
    used = {*tally.dimensions, *(leaf.dimension for tree in trees for leaf in leaves(tree))}
    of_visits = {dimension.name for dimension in used if dimension.kind is Kind.VISIT}
    done = tuple(deed for tree in trees for deed in deeds(tree))
    visits, engaged, money = (_asks(tally, sums) for sums in (OF_VISITS, OF_ENGAGEMENT, OF_MONEY))
    if visits and PAGE in {dimension.name for dimension in tally.dimensions}:
        of_visits.add(ENTRY_PAGE)
    columns = {d.column for d in used if d.kind is not Kind.TIME and d.name != GOAL}
    columns |= {"engaged_ms", "scroll_pct"} if engaged else set()
    columns |= {"revenue"} if money else set()
    return Needs(
        events=money or _asks(tally, OF_EVENTS),
        visits=visits,
        engaged=engaged,
        money=money,
        numbered=visits or engaged or bool(of_visits or done),
        event_columns=frozenset(columns),
        visit_dimensions=frozenset(of_visits),
        deeds=done,
    )


def together(each: Sequence[Needs]) -> Needs:
    """What several tallies of one choice are counted from."""
    return Needs(
        events=any(needed.events for needed in each),
        visits=any(needed.visits for needed in each),
        engaged=any(needed.engaged for needed in each),
        money=any(needed.money for needed in each),
        numbered=any(needed.numbered for needed in each),
        event_columns=frozenset().union(*(needed.event_columns for needed in each)),
        visit_dimensions=frozenset().union(*(needed.visit_dimensions for needed in each)),
        deeds=tuple(dict.fromkeys(deed for needed in each for deed in needed.deeds)),
    )


def _asks(tally: Tally, sums: tuple[str, ...]) -> bool:
    return any(name in sums for name in tally.sums)


def split(
    span: Days, served: Sequence[tuple[Source, Sequence[Days]]], allowed: frozenset[Source]
) -> list[Part]:
    """Each site-day to the first source that serves it; rows serve what is left. Raises
    Unanswerable where rows are not allowed and something is left."""
    left: tuple[Days, ...] = (span,)
    parts = []
    for source, days in served:
        if source not in allowed:
            continue
        taken = common(left, days)
        left = without(left, days)
        if taken:
            parts.append(Part(source, taken))
    if left and Source.ROWS not in allowed:
        raise Unanswerable(left)
    return [*parts, Part(Source.ROWS, left)] if left else parts


def spans_of(days: Iterable[date]) -> tuple[Days, ...]:
    """Days in any order, put together."""
    spans: list[Days] = []
    for day in sorted(set(days)):
        if spans and spans[-1].last + _DAY == day:
            spans[-1] = Days(spans[-1].first, day)
        else:
            spans.append(Days(day, day))
    return tuple(spans)


def common(one: Iterable[Days], other: Iterable[Days]) -> tuple[Days, ...]:
    """Days that are in both; each in order."""
    others = list(other)
    both = (Days(max(a.first, b.first), min(a.last, b.last)) for a in one for b in others)
    return tuple(days for days in both if days.first <= days.last)


def without(whole: Iterable[Days], taken: Iterable[Days]) -> tuple[Days, ...]:
    """Days of ``whole`` that are not in ``taken``."""
    left = list(whole)
    for gone in taken:
        left = [piece for days in left for piece in _pieces(days, gone)]
    return tuple(left)


def _pieces(days: Days, gone: Days) -> list[Days]:
    if gone.last < days.first or days.last < gone.first:
        return [days]
    pieces = []
    if days.first < gone.first:
        pieces.append(Days(days.first, gone.first - _DAY))
    if gone.last < days.last:
        pieces.append(Days(gone.last + _DAY, days.last))
    return pieces
