"""One site-day becomes a file.

Read in one snapshot, as of the commit F that the rollups hold for; put on the disk for good; then
recorded, if by then nothing up to what the rollups have reached has changed the day since F. A
death at any moment leaves the old record or the new one, and the file that it names.
"""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any

from psycopg import Connection, IsolationLevel

from shared.archive import day_folder, file_path
from shared.failpoints import reach
from writer.archive.contents import Contents, put_together, write_piece
from writer.archive.engine import Engine
from writer.archive.folder import digest_of, put_durably, versions
from writer.archive.record import Made, SiteDay, put_record, see
from writer.archive.rows import Wanted, is_touched_since, read_pieces

Report = Callable[[int], None]
Pieces = list[tuple[Path, Contents]]


class Became(StrEnum):
    """What became of a day. ``touched``: it has changed meanwhile, and is due again. ``behind``:
    the rollups have not come so far. ``elsewhere``: its rows have left the database."""

    WRITTEN = "written"
    TOUCHED = "touched"
    BEHIND = "behind"
    ELSEWHERE = "elsewhere"


def write_day(
    connection: Connection[Any],
    engine: Engine,
    folder: Path,
    each: SiteDay,
    report: Report = lambda _: None,
) -> Became:
    """``connection`` in autocommit; nobody else may write (`writer.archive.alone`). Raises
    psycopg.Error, duckdb.Error and OSError; then nothing has changed."""
    found = _read(connection, engine, each, report)
    if isinstance(found, Became):
        return found
    wanted, standing, pieces = found
    reach("archive_read")
    version = next_version(folder, wanted, standing)
    made = _put(engine, pieces, folder / file_path(each.site_id, each.day, version))
    reach("archive_named")
    with connection.transaction():
        recorded = put_record(connection, wanted, version, made)
        reach("archive_recording")
    reach("archive_recorded")
    if not recorded:
        (folder / file_path(each.site_id, each.day, version)).unlink()
        return Became.TOUCHED
    return Became.WRITTEN


def _read(
    connection: Connection[Any], engine: Engine, each: SiteDay, report: Report
) -> tuple[Wanted, int, Pieces] | Became:
    """What was read, the number of the version before, and the pieces."""
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    try:
        with connection.transaction():
            # Reading a large day takes as long as it takes.
            connection.execute("SET LOCAL statement_timeout = 0")
            seen = see(connection, each)
            if seen is None or seen.state not in ("open", "archived"):
                return Became.ELSEWHERE
            if seen.looked_at is None or seen.rolled == 0:
                return Became.BEHIND
            wanted = Wanted(*each, seen.starts_at, seen.ends_at, seen.rolled)
            if is_touched_since(connection, wanted):
                return Became.BEHIND
            pieces: Pieces = []
            for _ in read_pieces(connection, engine, wanted, report):
                file = engine.scratch / f"{len(pieces)}.parquet"
                pieces.append((file, write_piece(engine, file)))
            return wanted, seen.version, pieces
    finally:
        connection.isolation_level = None


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
