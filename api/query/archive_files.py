"""Which files of the archive may be read: those that hold what the rows hold, byte for byte."""

import hashlib
import logging
from datetime import date
from pathlib import Path

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.query.ranges import Days
from shared.archive import ALTERED, DEFINITION, MISSING, fault_of
from shared.metrics import API_ARCHIVE_FAULTS
from writer.tables import archive_file, site_day

MANY_FILES, FEW_ROWS = 45, 300
"""Opening a file takes as long as counting some hundred rows in the database."""

log = logging.getLogger("api")


class File(msgspec.Struct, frozen=True):
    """A site-day's file as it was recorded. ``steady``: see `shared.archive.OF_FIRST_EVENT`.
    ``is_only``: the day's rows have left the database."""

    day: date
    path: str
    size: int
    sha256: bytes
    steady: frozenset[str]
    rows: int = 0
    is_only: bool = False


class Current(msgspec.Struct, frozen=True):
    """``files``: those that hold their day as of the answer's commit. ``empty``: days of which
    nothing was ever stored."""

    files: dict[date, File]
    empty: frozenset[date]


async def read_current(db: AsyncConnection, site_id: int, span: Days) -> Current:
    """By the record alone, in the snapshot that is open, up to the rollups' commit."""
    day, file = site_day.c, archive_file.c
    mine = (file.site_id == day.site_id) & (file.day == day.day)
    holds = (file.commit_no >= day.touched) & (file.definition == DEFINITION)
    names = ("path", "bytes", "sha256", "steady", "rows")
    columns = [file[name] for name in names]
    asked = (
        select(day.day, day.touched, day.state, holds, *columns)
        .select_from(site_day.outerjoin(archive_file, mine))
        .where(day.site_id == site_id, day.day.between(span.first, span.last))
    )
    files: dict[date, File] = {}
    known: set[date] = set()
    for each, touched, state, is_current, *recorded in await db.execute(asked):
        if touched or state != "open":
            known.add(each)
        if is_current:
            path, size, sha256, steady, rows = recorded
            is_only = state == "file"
            files[each] = File(each, path, size, sha256, frozenset(steady), rows, is_only)
    return Current(_worthwhile(files), frozenset(_days(span)) - known)


def _worthwhile(files: dict[date, File]) -> dict[date, File]:
    """Without those that hold so little, over so many days, that rows are faster."""
    if len(files) < MANY_FILES or sum(f.rows for f in files.values()) >= FEW_ROWS * len(files):
        return files
    return {day: file for day, file in files.items() if file.is_only}


def _days(span: Days) -> list[date]:
    return [date.fromordinal(n) for n in range(span.first.toordinal(), span.last.toordinal() + 1)]


Seen = tuple[int, int, int, int]
"""Size, mtime and ctime in ns, and inode of a file when its bytes were read. Nobody who alters a
file can set its ctime back, as rsync and utime do with the other."""


class Checked:
    """What this process knows of files: each is read whole once; then a look is enough while all
    that can be seen of it is what it was then."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[tuple[str, bytes], Seen] = {}

    def fault(self, file: File) -> str | None:
        """What is wrong with it; None: nothing. Reads the bytes where a look is not enough."""
        path = self.folder / file.path
        try:
            stat = path.stat()
            fault = fault_of(stat.st_size, file.size)
            seen = (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
            if fault is None and self._read.get((file.path, file.sha256)) != seen:
                fault = self._read_whole(path, file, seen)
        except OSError:
            fault = MISSING
        if fault is not None:
            API_ARCHIVE_FAULTS.labels(fault).inc()
            log.warning("the archive's file %s is %s", file.path, fault)
        return fault

    def _read_whole(self, path: Path, file: File, seen: Seen) -> str | None:
        with path.open("rb") as opened:
            if hashlib.file_digest(opened, "sha256").digest() != file.sha256:
                return ALTERED
        self._read[(file.path, file.sha256)] = seen
        return None
