"""The file of a site-day, for the jobs that rest on it: its record, and whether it is sound."""

from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from psycopg import Connection
from psycopg.rows import class_row

from writer.archive.folder import digest_of

MISSING, CUT, ALTERED = "missing", "cut", "altered"

_READ = """
SELECT site_id, day, commit_no, version, definition, path, rows, bytes AS size, sha256
FROM archive_file WHERE site_id = %s AND day = %s FOR UPDATE
"""
_DROP = "DELETE FROM archive_file WHERE site_id = %s AND day = %s"


class FileOfDay(NamedTuple):
    """``commit_no``: the file holds the day's rows as of this commit."""

    site_id: int
    day: date
    commit_no: int
    version: int
    definition: int
    path: str
    rows: int
    size: int
    sha256: bytes

    def fault(self, folder: Path) -> str | None:
        """What is wrong with the bytes that are on the disk now; None: nothing."""
        file = folder / self.path
        try:
            if file.stat().st_size != self.size:
                return CUT
            return None if digest_of(file) == self.sha256 else ALTERED
        except OSError:
            return MISSING


def read_file_of(connection: Connection[Any], site_id: int, day: date) -> FileOfDay | None:
    """The record of a day's file, kept as it is until the transaction ends."""
    with connection.cursor(row_factory=class_row(FileOfDay)) as cursor:
        return cursor.execute(_READ, (site_id, day)).fetchone()


def drop_record(connection: Connection[Any], site_id: int, day: date) -> None:
    """Let the file be nobody's: the archive's sweep deletes it."""
    connection.execute(_DROP, (site_id, day))
