"""One snapshot of the database, and what answers are counted from in it.

All that one answer, or one batch, reads stands in one REPEATABLE READ transaction and holds for
one commit. What is asked of the same events is counted in one pass over them.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Sequence
from datetime import date
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.query.archive import Archive, Unreadable
from api.query.archive_files import Current, File
from api.query.as_of import AsOf, read_as_of, read_touched
from api.query.filters import AllOf
from api.query.plan import Part, Source, common, spans_of, split, without
from api.query.ranges import Days, Range
from api.query.rollups import (
    Rolled,
    count_rollups,
    find_rolled,
    read_left_out,
    read_undeclared,
)
from api.query.rows import count_rows
from api.query.scope import Scope, span
from api.query.site_days import SiteDays, read_site_days
from api.query.sums import Counted, Wanted, merge
from shared.errors import Refusal

T = TypeVar("T")


class Snapshot:
    """What a transaction sees. ``allowed``: the sources that may be asked; ``archive``: None where
    there is none; ``deadline_s``: of the event loop's time."""

    def __init__(
        self,
        db: AsyncConnection,
        as_of: AsOf,
        allowed: frozenset[Source],
        archive: Archive | None,
        deadline_s: float,
    ) -> None:
        self.db = db
        self.as_of = as_of
        self.allowed = allowed
        self.archive = archive
        self._deadline_s = deadline_s
        self._known: dict[Hashable, Any] = {}

    async def once(self, what: Hashable, read: Callable[[], Awaitable[T]]) -> T:
        """What several answers need alike is read once."""
        if what not in self._known:
            self._known[what] = await read()
        found: T = self._known[what]
        return found

    @property
    def left_s(self) -> float:
        """How long there still is."""
        return self._deadline_s - asyncio.get_running_loop().time()


async def open_snapshot(
    db: AsyncConnection,
    timeout_s: float,
    allowed: frozenset[Source],
    archive: Archive | None = None,
) -> Snapshot:
    """Of a connection without a transaction. No statement takes longer than ``timeout_s``."""
    deadline_s = asyncio.get_running_loop().time() + timeout_s
    await db.execution_options(isolation_level="REPEATABLE READ")
    # A table without statistics, new or of a database that has crashed, counts as nearly empty:
    # joining visits in nested loops then took half a minute for five thousand events. What is
    # counted takes milliseconds; compiling it would take longer.
    settings = {
        "statement_timeout": f"{timeout_s * 1000:.0f}",
        "enable_nestloop": "off",
        "jit": "off",
    }
    await db.execute(select(*(func.set_config(n, value, True) for n, value in settings.items())))
    return Snapshot(db, await read_as_of(db), allowed, archive, deadline_s)


class Reading:
    """What one answer about a site is counted from; remembers what it used."""

    def __init__(self, snapshot: Snapshot, site_id: int) -> None:
        self.snapshot = snapshot
        self.site_id = site_id
        self._sources: set[Source] = set()
        self._missing: set[date] = set()

    @property
    def sources(self) -> list[str]:
        """Those that counted, in their order."""
        return [source.value for source in Source if source in self._sources]

    @property
    def missing_days(self) -> list[str]:
        """Days that were asked about and of which nothing is left that could be counted."""
        return [day.isoformat() for day in sorted(self._missing)]

    async def count_all(self, wanted: Range, tallies: Sequence[Wanted]) -> list[Counted]:
        """Each tally over the range. Raises Unanswerable where the allowed sources cannot."""
        asks = [Ask(self, wanted, each) for each in tallies]
        return all_counted(await count_asks(self.snapshot, asks))

    async def count_apart(self, wanted: Days, each: Wanted) -> AsyncIterator[Counted]:
        """What each source counts by itself, each of them cut."""
        plans = Plans(self.snapshot)
        for part in (await plans.plan(Ask(self, wanted, each))).parts:
            [counted] = await _count_part(plans, self.site_id, wanted, part, [each])
            yield counted

    def note(self, plan: "Planned") -> None:
        """These have counted."""
        self._sources |= {part.source for part in plan.parts}
        self._missing |= plan.missing


class Ask(NamedTuple):
    """One tally, over a range, for a reading."""

    reading: Reading
    range: Range
    wanted: Wanted


class Planned(NamedTuple):
    """Who counts which days of it. ``missing``: those of which nobody can."""

    parts: Sequence[Part]
    missing: frozenset[date]


async def count_asks(snapshot: Snapshot, asks: Sequence[Ask]) -> list[Counted | Refusal]:
    """All of them, each choice of events made once; one of too many groups is refused without
    the others. Raises Unanswerable and TookTooLong."""
    try:
        return await _count_asks(Plans(snapshot), asks)
    except Unreadable:
        snapshot.archive = None
        return await _count_asks(Plans(snapshot), asks)


async def _count_asks(plans: "Plans", asks: Sequence[Ask]) -> list[Counted | Refusal]:
    planned = [await plans.plan(ask) for ask in asks]
    found: list[list[Counted]] = [[] for _ in asks]
    for (site_id, wanted, part, _), numbers in _shared(asks, planned).items():
        cut = [_uncut(asks[n].wanted, planned[n]) for n in numbers]
        counted = await _count_part(plans, site_id, wanted, part, cut)
        for number, each in zip(numbers, counted, strict=True):
            found[number].append(each)
    for ask, plan in zip(asks, planned, strict=True):
        ask.reading.note(plan)
    return [await _merged(each) for each in found]


async def _merged(counted: Sequence[Counted]) -> Counted | Refusal:
    try:
        if len(counted) == 1:
            return Counted(merge([counted[0].groups]), counted[0].total)
        # In a thread: many groups take long, and others are answered meanwhile.
        return Counted(await asyncio.to_thread(merge, [each.groups for each in counted]), None)
    except Refusal as refusal:
        return refusal


def all_counted(found: Sequence[Counted | Refusal]) -> list[Counted]:
    """Raises what refuses one of them."""
    if refusal := next((each for each in found if isinstance(each, Refusal)), None):
        raise refusal
    return [each for each in found if isinstance(each, Counted)]


_Choice = tuple[int, Range, Part, AllOf | None]
"""Of one site and range, the days of one source, and the filters; None for the archive, which
finds out by itself what several filters have in common."""


def _shared(asks: Sequence[Ask], planned: Sequence[Planned]) -> dict[_Choice, list[int]]:
    """Numbers of the asks that each choice serves."""
    choices = defaultdict[_Choice, list[int]](list)
    for number, (ask, plan) in enumerate(zip(asks, planned, strict=True)):
        for part in plan.parts:
            filters = None if part.source is Source.ARCHIVE else ask.wanted.tally.filters
            choices[ask.reading.site_id, ask.range, part, filters].append(number)
    return choices


def _uncut(wanted: Wanted, plan: Planned) -> Wanted:
    """Where several sources count, only their merged groups can be cut."""
    return wanted if len(plan.parts) == 1 else Wanted(wanted.tally, None)


async def _count_part(
    plans: "Plans", site_id: int, wanted: Range, part: Part, tallies: Sequence[Wanted]
) -> list[Counted]:
    """Tallies of one choice."""
    snapshot = plans.snapshot
    if part.source is Source.ROLLUPS:
        return [await _count_rolled(plans, site_id, part, each) for each in tallies]
    if part.source is Source.ARCHIVE:
        assert snapshot.archive is not None
        files = await plans.files(site_id, part.spans)
        return await snapshot.archive.count_all(files, wanted, tallies, snapshot.left_s)
    scope = Scope(site_id, snapshot.as_of.commit, wanted, part.spans)
    return await count_rows(snapshot.db, scope, tallies)


async def _count_rolled(plans: "Plans", site_id: int, part: Part, wanted: Wanted) -> Counted:
    rolled = find_rolled(wanted.tally)
    assert rolled is not None
    return await count_rollups(plans.snapshot.db, site_id, part.spans, rolled, wanted)


def _only_with_rows(parts: Sequence[Part], days: SiteDays) -> Planned:
    """Rows count no day whose rows have left: while a job takes them away or brings them back,
    some of them are there."""
    away = spans_of(days.without_rows | days.forgotten)
    kept = [
        Part(Source.ROWS, without(part.spans, away)) if part.source is Source.ROWS else part
        for part in parts
    ]
    lost = [span for part in parts if part.source is Source.ROWS for span in part.spans]
    missing = {day for day in days.without_rows if common([Days(day, day)], lost)}
    return Planned([part for part in kept if part.spans] or kept, days.forgotten | missing)


class Plans:
    """Which source counts which days; what that takes is read once."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._days: dict[tuple[int, Range], SiteDays] = {}
        self._touched: dict[int, tuple[Days, ...]] = {}
        self._left_out: dict[tuple[int, Days], dict[str, tuple[Days, ...]]] = {}
        self._current: dict[tuple[int, Days], Current] = {}

    async def plan(self, ask: Ask) -> Planned:
        """Raises Unanswerable where the allowed sources cannot count it."""
        site_id = ask.reading.site_id
        days = await self._read_days(site_id, ask.range)
        rolled = find_rolled(ask.wanted.tally)
        served = []
        if self._may(Source.ROLLUPS) and rolled is not None and days.whole:
            served.append((Source.ROLLUPS, await self._rolled(site_id, rolled, days)))
        if self._may(Source.ARCHIVE) and self.snapshot.archive is not None:
            served.append((Source.ARCHIVE, await self._archived(site_id, span(ask.range))))
        return _only_with_rows(split(span(ask.range), served, self.snapshot.allowed), days)

    async def files(self, site_id: int, spans: Sequence[Days]) -> list[File]:
        """Of an archive's part; read when it was planned."""
        found = {
            day: file
            for (of_site, _), current in self._current.items()
            if of_site == site_id
            for day, file in current.files.items()
        }
        return [found[day] for day in sorted(found) if common([Days(day, day)], spans)]

    def _may(self, source: Source) -> bool:
        """Nothing but rows holds anything until a stage has looked at them."""
        return source in self.snapshot.allowed and self.snapshot.as_of.rolled > 0

    async def _read_days(self, site_id: int, wanted: Range) -> SiteDays:
        if (site_id, wanted) not in self._days:
            found = await read_site_days(self.snapshot.db, site_id, wanted)
            self._days[site_id, wanted] = found
        return self._days[site_id, wanted]

    async def _rolled(self, site_id: int, rolled: Rolled, days: SiteDays) -> tuple[Days, ...]:
        """Whole days of the range that the rollups hold as of the answer's commit."""
        db = self.snapshot.db
        outer = Days(days.whole[0].first, days.whole[-1].last)
        if (site_id, outer) not in self._left_out:
            self._left_out[site_id, outer] = await read_left_out(db, site_id, outer)
        lacking = (
            *self._left_out[site_id, outer].get(rolled.dimension, ()),
            *await read_undeclared(db, site_id, rolled, outer),
            *await self._read_touched(site_id),
        )
        return without(days.whole, lacking)

    async def _archived(self, site_id: int, outer: Days) -> tuple[Days, ...]:
        """Days with a file that holds for the answer's commit. With them, or where rows are not
        asked, days of which nothing was ever stored: they cost nothing."""
        archive = self.snapshot.archive
        assert archive is not None
        if (site_id, outer) not in self._current:
            found = await archive.current(self.snapshot.db, site_id, outer)
            self._current[site_id, outer] = found
        current = self._current[site_id, outer]
        with_empty = current.files or Source.ROWS not in self.snapshot.allowed
        days = {*current.files, *(current.empty if with_empty else ())}
        return without(spans_of(days), await self._read_touched(site_id))

    async def _read_touched(self, site_id: int) -> tuple[Days, ...]:
        """Days of the site that may have changed since the rollups' commit."""
        if site_id not in self._touched:
            found = await read_touched(self.snapshot.db, site_id, self.snapshot.as_of)
            self._touched[site_id] = found
        return self._touched[site_id]
