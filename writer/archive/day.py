"""One site-day becomes a file.

Read in one snapshot, as of the commit F that the rollups hold for; put on the disk for good; then
recorded, if by then nothing up to what the rollups have reached has changed the day since F. A day
whose rows have left is read from its file, where that is of another definition. A death at any
moment leaves the old record or the new one, and the file that it names.
"""

from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from psycopg import Connection, IsolationLevel

from shared.archive import DEFINITION, day_folder, file_path
from shared.failpoints import reach
from writer.archive.again import read_pieces_of_file
from writer.archive.contents import Contents, put_together, write_piece
from writer.archive.engine import Engine
from writer.archive.folder import digest_of, put_durably, versions
from writer.archive.record import WITH_ROWS, Made, Seen, SiteDay, put_record, see
from writer.archive.rows import Wanted, is_touched_since, read_pieces

FILE = "file"
"""The state of a day whose file is the record."""

Report = Callable[[int], None]
Pieces = list[tuple[Path, Contents]]


class Found(NamedTuple):
    """What was read. ``standing``: the version before. ``states``: those that it was read in."""

    wanted: Wanted
    standing: int
    pieces: Pieces
    states: tuple[str, ...] = WITH_ROWS


class Became(StrEnum):
    """What became of a day. ``touched``: it has changed meanwhile, and is due again. ``behind``:
    the rollups have not come so far. ``elsewhere``: its rows have left the database. ``faulty``:
    and its file is not what was written."""

    WRITTEN = "written"
    TOUCHED = "touched"
    BEHIND = "behind"
    ELSEWHERE = "elsewhere"
    FAULTY = "faulty"


def write_day(
    connection: Connection[Any],
    engine: Engine,
    folder: Path,
    each: SiteDay,
    report: Report = lambda _: None,
) -> Became:
    """``connection`` in autocommit; nobody else may write (`writer.archive.alone`). Raises
    psycopg.Error, duckdb.Error and OSError; then nothing has changed."""
    found = _read(connection, engine, folder, each, report)
    if isinstance(found, Became):
        return found
    reach("archive_read")
    version = next_version(folder, found.wanted, found.standing)
    made = _put(engine, found.pieces, folder / file_path(each.site_id, each.day, version))
    reach("archive_named")
    with connection.transaction():
        recorded = put_record(connection, found.wanted, version, made, found.states)
        reach("archive_recording")
    reach("archive_recorded")
    if not recorded:
        (folder / file_path(each.site_id, each.day, version)).unlink()
        return Became.TOUCHED
    return Became.WRITTEN


def _read(
    connection: Connection[Any], engine: Engine, folder: Path, each: SiteDay, report: Report
) -> Found | Became:
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    try:
        with connection.transaction():
            # Reading a large day takes as long as it takes.
            connection.execute("SET LOCAL statement_timeout = 0")
            seen = see(connection, each)
            if seen is not None and seen.state == FILE and seen.definition != DEFINITION:
                return _read_again(engine, folder, each, seen)
            if seen is None or seen.state not in WITH_ROWS:
                return Became.ELSEWHERE
            if seen.looked_at is None or seen.rolled == 0:
                return Became.BEHIND
            wanted = Wanted(*each, seen.starts_at, seen.ends_at, seen.rolled)
            if is_touched_since(connection, wanted):
                return Became.BEHIND
            read = read_pieces(connection, engine, wanted, report)
            return Found(wanted, seen.version, _write_pieces(engine, read))
    finally:
        connection.isolation_level = None


def _read_again(engine: Engine, folder: Path, each: SiteDay, seen: Seen) -> Found | Became:
    """From the file that is the day's record."""
    if seen.path is None or seen.filed is None or seen.rows is None:
        return Became.FAULTY
    file = folder / seen.path
    if digest_of(file) != seen.sha256:
        return Became.FAULTY
    pieces = _write_pieces(engine, read_pieces_of_file(engine, file, seen.rows))
    if sum(contents.rows for _, contents in pieces) != seen.rows:
        return Became.FAULTY
    wanted = Wanted(*each, seen.starts_at, seen.ends_at, seen.filed)
    return Found(wanted, seen.version, pieces, (FILE,))


def _write_pieces(engine: Engine, read: Iterator[None]) -> Pieces:
    pieces: Pieces = []
    for _ in read:
        file = engine.scratch / f"{len(pieces)}.parquet"
        pieces.append((file, write_piece(engine, file)))
    return pieces


def next_version(folder: Path, wanted: Wanted, standing: int) -> int:
    """A number that no file of the day has, and no record: a death may have left one of either."""
    found = versions(folder / day_folder(wanted.site_id, wanted.day))
    return max([standing, *found]) + 1


def _put(engine: Engine, pieces: Pieces, target: Path) -> Made:
    made = engine.scratch / "made.parquet"
    contents = put_together(engine, pieces, made)
    reach("archive_made")
    digest = digest_of(made)
    put_durably(made, target)
    stat = target.stat()
    return Made(contents.rows, stat.st_size, digest, stat.st_mtime_ns, contents.steady)
