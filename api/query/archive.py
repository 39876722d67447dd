"""Sums counted from files of the archive: the statements that rows are asked, in DuckDB.

A file is looked at before it is read. One that is missing, cut short or altered is left out and
reported, and its day goes to whoever comes next.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import TypeVar

import duckdb
from sqlalchemy import FromClause
from sqlalchemy.ext.asyncio import AsyncConnection

from api.query.archive_engine import Engine, Rows, Session
from api.query.archive_files import Checked, Current, File, read_current
from api.query.archive_relations import relations, select_bots, select_values
from api.query.archive_scan import KEPT, Scan, scan_of
from api.query.fold import Values
from api.query.plan import needs
from api.query.ranges import Days, Range
from api.query.statements import select_groups, select_total
from api.query.sums import Counted, Cut, Tally
from api.query.vocabulary import Dimension
from shared.errors import Code, Refusal
from shared.metrics import API_ARCHIVE_FAULTS

T = TypeVar("T")

log = logging.getLogger("api")


class Unreadable(Exception):
    """A file that looked sound could not be read: ask without the archive."""


class Archive:
    """Of one process."""

    def __init__(self, folder: Path, memory_mb: int, threads: int) -> None:
        self._folder = folder
        self._engine = Engine(memory_mb, threads)
        self._checked = Checked(folder)

    def close(self) -> None:
        """Give back what it holds."""
        self._engine.close()

    async def current(self, db: AsyncConnection, site_id: int, span: Days) -> Current:
        """The files of a span's days that are current up to the rollups' commit, and sound."""
        found = await read_current(db, site_id, span)
        faults = await asyncio.to_thread(self._faults, found.files.values())
        sound = {day: file for day, file in found.files.items() if day not in faults}
        return Current(sound, found.empty)

    def _faults(self, files: Iterable[File]) -> dict[date, str]:
        looked_at = ((file.day, self._checked.fault(file)) for file in files)
        return {day: fault for day, fault in looked_at if fault is not None}

    async def count_all(
        self,
        files: Sequence[File],
        wanted: Range,
        tallies: Sequence[tuple[Tally, Cut | None]],
        within_s: float,
    ) -> list[Counted]:
        """The groups of each tally over the files' days. Raises TookTooLong and Unreadable."""
        if not files:
            return [_nothing(tally, cut) for tally, cut in tallies]

        def work(session: Session) -> list[Counted]:
            return self._count_all(session, files, wanted, tallies)

        return await self._run(work, within_s)

    def values_of(self, files: Sequence[File], within_s: float) -> Values:
        """Every value of a dimension in the files."""

        async def values(dimension: Dimension, limit: int) -> AsyncIterator[str]:
            if not files:
                return
            asked = select_values(self._folder, files, dimension, limit)
            for (value,) in await self._run(lambda session: session.rows(asked), within_s):
                yield value

        return values

    async def count_bots(self, files: Sequence[File], within_s: float) -> Rows:
        """(rule, day, events) of the robots in the files. Raises TookTooLong and Unreadable."""
        if not files:
            return []
        asked = select_bots(self._folder, files)
        return await self._run(lambda session: session.rows(asked), within_s)

    async def _run(self, work: Callable[[Session], T], within_s: float) -> T:
        try:
            return await self._engine.run(work, within_s)
        except duckdb.OutOfMemoryException:
            raise _too_large() from None
        except duckdb.Error as error:
            # A damaged file shows itself in whatever its bytes happen to say.
            API_ARCHIVE_FAULTS.labels("unreadable").inc()
            log.warning("the archive cannot be read: %s", type(error).__name__)
            raise Unreadable from error

    def _count_all(
        self,
        session: Session,
        files: Sequence[File],
        wanted: Range,
        tallies: Sequence[tuple[Tally, Cut | None]],
    ) -> list[Counted]:
        scan = scan_of(self._folder, files, wanted, [tally for tally, _ in tallies])
        if scan is None:
            return [self._count(session, files, wanted, *each) for each in tallies]
        if len(tallies) == 1:
            return [_uncut(session, scan, 0, scan.keep.cte(KEPT))]
        session.keep(KEPT, scan.keep)
        return [_uncut(session, scan, nth, scan.table) for nth in range(len(tallies))]

    def _count(
        self, session: Session, files: Sequence[File], wanted: Range, tally: Tally, cut: Cut | None
    ) -> Counted:
        needed = needs(tally)
        found = relations(self._folder, files, needed)
        rows = session.rows(select_groups(found, wanted, tally, needed, cut))
        total = None
        if cut is not None and not rows and cut.offset:
            [(total,)] = session.rows(select_total(found, wanted, tally, needed))
        return counted(tally, cut, rows, total)


def _uncut(session: Session, scan: Scan, nth: int, kept: FromClause) -> Counted:
    return counted(scan.asked[nth], None, session.rows(scan.select(nth, kept)), None)


def counted(tally: Tally, cut: Cut | None, rows: Rows, beyond: int | None) -> Counted:
    """Rows as groups. ``beyond``: how many there are, where the page lies beyond their end."""
    keys = len(tally.dimensions)
    groups = {row[:keys]: row[keys : keys + len(tally.sums)] for row in rows}
    if cut is None:
        return Counted(groups)
    return Counted(groups, rows[0][-1] if rows else beyond or 0)


def _nothing(tally: Tally, cut: Cut | None) -> Counted:
    groups = {} if tally.dimensions else {(): (0,) * len(tally.sums)}
    if cut is None:
        return Counted(groups)
    return Counted({} if cut.offset else groups, len(groups))


def _too_large() -> Refusal:
    return Refusal(
        Code.BAD_QUERY,
        "the answer needs more memory than the archive may use: ask for a shorter range, or for "
        "fewer dimensions at once",
        field="dimensions",
    )
