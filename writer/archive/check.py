"""Whether a file is still what was recorded of it."""

from pathlib import Path
from typing import Any

import duckdb
from psycopg import Connection

from shared.archive import ALTERED, MISSING, fault_of
from writer.archive.engine import quoted
from writer.archive.folder import digest_of
from writer.archive.record import Filed, put_verdict


def check_file(folder: Path, filed: Filed) -> str | None:
    """Its bytes read and compared, and its rows counted. None: all is well."""
    file = folder / filed.path
    try:
        fault = fault_of(file.stat().st_size, filed.size)
        if fault is None and digest_of(file) != filed.sha256:
            fault = ALTERED
    except OSError:
        return MISSING
    if fault is None and _count_rows(file) != filed.rows:
        fault = ALTERED
    return fault


def is_unchanged(folder: Path, filed: Filed) -> bool:
    """By size and time alone, which costs nothing: only what is read first rests on it. Bytes that
    change behind both are found when their turn comes, and by who reads them for an answer."""
    try:
        stat = (folder / filed.path).stat()
    except OSError:
        return False
    return (stat.st_size, stat.st_mtime_ns) == (filed.size, filed.mtime_ns)


def verify(connection: Connection[Any], folder: Path, filed: Filed) -> str | None:
    """Check it and write down the verdict: the job writes a faulty one anew, while rows exist. None
    also where the file is no longer the day's: it may have been swept up in the same moment."""
    fault = check_file(folder, filed)
    stands = put_verdict(connection, filed, fault, None if fault else _mtime_ns(folder, filed))
    return fault if stands else None


def _mtime_ns(folder: Path, filed: Filed) -> int | None:
    try:
        return (folder / filed.path).stat().st_mtime_ns
    except OSError:
        return None


def _count_rows(file: Path) -> int | None:
    with duckdb.connect(":memory:") as duck:
        try:
            asked = f"SELECT num_rows FROM parquet_file_metadata({quoted(file)})"
            [[rows]] = duck.execute(asked).fetchall()
        except duckdb.Error:
            return None
    return int(rows)
