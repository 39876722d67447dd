"""One snapshot of the database, and what answers are counted from in it.

All that one answer, or one batch, reads stands in one REPEATABLE READ transaction and holds for
one commit.
"""

from collections.abc import Sequence
from datetime import date

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.query.as_of import AsOf, read_as_of, read_touched
from api.query.plan import Part, Source, common, split, without
from api.query.ranges import Days, Range
from api.query.rollups import Rolled, count_rollups, find_rolled, read_left_out
from api.query.rows import count_rows
from api.query.scope import Scope, span
from api.query.site_days import SiteDays, read_site_days
from api.query.sums import Counted, Cut, Tally, merge


class Wanted(msgspec.Struct, frozen=True):
    """A tally, and the part of its groups that is wanted; None: all of them."""

    tally: Tally
    cut: Cut | None


class Snapshot:
    """What a transaction sees. ``allowed``: the sources that may be asked."""

    def __init__(self, db: AsyncConnection, as_of: AsOf, allowed: frozenset[Source]) -> None:
        self.db = db
        self.as_of = as_of
        self.allowed = allowed
        self._touched: dict[int, tuple[Days, ...]] = {}

    async def touched(self, site_id: int) -> tuple[Days, ...]:
        """Days of the site that may have changed since the rollups' commit."""
        if site_id not in self._touched:
            self._touched[site_id] = await read_touched(self.db, site_id, self.as_of)
        return self._touched[site_id]


async def open_snapshot(
    db: AsyncConnection, timeout_s: float, allowed: frozenset[Source]
) -> Snapshot:
    """Of a connection without a transaction. No statement takes longer than ``timeout_s``."""
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
    return Snapshot(db, await read_as_of(db), allowed)


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

    def scope(self, wanted: Range) -> Scope:
        """The rows of a range."""
        return Scope(self.site_id, self.snapshot.as_of.commit, wanted)

    async def count_all(self, wanted: Range, tallies: Sequence[Wanted]) -> list[Counted]:
        """Each tally over the range. Raises Unanswerable where the allowed sources cannot."""
        days = await read_site_days(self.snapshot.db, self.site_id, wanted)
        return [await self._count(wanted, each, days) for each in tallies]

    async def _count(self, wanted: Range, each: Wanted, days: SiteDays) -> Counted:
        rolled = find_rolled(each.tally)
        parts = await self._plan(wanted, rolled, days)
        self._note(parts, days)
        cut = each.cut if len(parts) == 1 else None
        counted = [await self._count_part(wanted, part, each.tally, rolled, cut) for part in parts]
        return counted[0] if len(counted) == 1 else Counted(merge([c.groups for c in counted]))

    async def _count_part(
        self, wanted: Range, part: Part, tally: Tally, rolled: Rolled | None, cut: Cut | None
    ) -> Counted:
        if part.source is Source.ROLLUPS:
            assert rolled is not None
            return await count_rollups(
                self.snapshot.db, self.site_id, part.spans, tally, rolled, cut
            )
        scope = msgspec.structs.replace(self.scope(wanted), spans=part.spans)
        return await count_rows(self.snapshot.db, scope, tally, cut)

    async def _plan(self, wanted: Range, rolled: Rolled | None, days: SiteDays) -> list[Part]:
        served = []
        if rolled is not None and self.snapshot.as_of.rolled:
            served.append((Source.ROLLUPS, await self._rolled_days(rolled, days)))
        return split(span(wanted), served, self.snapshot.allowed)

    async def _rolled_days(self, rolled: Rolled, days: SiteDays) -> tuple[Days, ...]:
        """Whole days of the range that the rollups hold as of the answer's commit."""
        db, site_id = self.snapshot.db, self.site_id
        if not days.whole:
            return ()
        outer = Days(days.whole[0].first, days.whole[-1].last)
        left_out = await read_left_out(db, site_id, rolled, outer)
        return without(without(days.whole, left_out), await self.snapshot.touched(site_id))

    def _note(self, parts: Sequence[Part], days: SiteDays) -> None:
        self._sources |= {part.source for part in parts}
        counted = [span for part in parts if part.source is Source.ROWS for span in part.spans]
        self._missing |= days.forgotten
        self._missing |= {day for day in days.without_rows if common([Days(day, day)], counted)}
