"""The archive kept up: what is due written, what has been left swept up, what stands verified.

One at a time: whoever writes holds a lock of the database's, which a death lets go.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import psycopg
from psycopg import Connection

from writer.archive.check import is_unchanged, verify
from writer.archive.day import Became, write_day
from writer.archive.engine import open_engine
from writer.archive.folder import sweep
from writer.archive.record import Choice, SiteDay, read_due, read_filed
from writer.database.locks import Lock, trying
from writer.finality import final_at

log = logging.getLogger("jobs")

VERIFY_AFTER = timedelta(days=30)
"""A file's bytes are read again after so long, by the job, even if nothing seems to be wrong."""


class Busy(Exception):
    """Another one writes the archive now."""


class Limits(NamedTuple):
    """How long the job may go on before it leaves the rest to the next hour: other jobs wait for
    it. A day that is begun is finished."""

    write_s: float = 1_200.0
    verify_s: float = 120.0


ALL_DAYS, USUAL = Choice(), Limits()


class Progress(NamedTuple):
    """Told as it goes: which day of how many, and its bytes read."""

    done: int
    total: int
    day: SiteDay
    read_bytes: int


@contextmanager
def alone(connection: Connection[Any]) -> Iterator[None]:
    """Nobody else writes the archive meanwhile. Raises Busy."""
    with trying(connection, Lock.ARCHIVE) as is_mine:
        if not is_mine:
            raise Busy
        yield


def write_due(
    connection: Connection[Any],
    folder: Path,
    memory_mb: int,
    now: datetime,
    choice: Choice = ALL_DAYS,
    within_s: float | None = None,
    tell: Callable[[Progress], None] = lambda _: None,
) -> Counter[Became]:
    """Write what is due; one day that fails does not hold up the others. Raises Busy, and the
    last failure once all have been tried."""
    became: Counter[Became] = Counter()
    failure: Exception | None = None
    began = time.monotonic()
    with alone(connection), open_engine(folder, memory_mb) as engine:
        due = read_due(connection, final_at(connection, now), choice)
        for done, each in enumerate(due):
            if within_s is not None and time.monotonic() - began > within_s:
                break

            def report(read: int, done: int = done, each: SiteDay = each) -> None:
                tell(Progress(done, len(due), each, read))

            try:
                became[write_day(connection, engine, folder, each, report)] += 1
            except (duckdb.Error, OSError, psycopg.Error) as error:
                if connection.closed:
                    raise
                log.warning("site %d, %s is not archived: %s", *each, type(error).__name__)
                failure = error
    if failure is not None:
        raise failure
    return became


def keep(
    connection: Connection[Any],
    folder: Path,
    memory_mb: int,
    now: datetime,
    limits: Limits = USUAL,
) -> int:
    """What the job does each hour; returns how many files it wrote. Raises Busy."""
    # First, since a disk that is full has room again then, and a failure below ends the run.
    sweep_up(connection, folder)
    verify_some(connection, folder, now, limits.verify_s)
    became = write_due(connection, folder, memory_mb, now, within_s=limits.write_s)
    if became[Became.WRITTEN]:
        log.info("%d site-days are archived", became[Became.WRITTEN])
    sweep_up(connection, folder)
    return became[Became.WRITTEN]


def sweep_up(connection: Connection[Any], folder: Path) -> None:
    """Delete files that no record names: left by a death, superseded, or of days that are gone.
    Raises Busy."""
    with alone(connection):
        recorded = {filed.path for filed in read_filed(connection, ALL_DAYS)}
        sweep(folder, recorded.__contains__)


def verify_some(
    connection: Connection[Any], folder: Path, now: datetime, within_s: float
) -> Counter[str]:
    """Each file that looks changed, and those that nobody has read for long, the longest first;
    returns the faults found."""
    found: Counter[str] = Counter()
    began = time.monotonic()
    filed = read_filed(connection, ALL_DAYS)
    changed = [each for each in filed if each.fault is None and not is_unchanged(folder, each)]
    paths = {each.path for each in changed}
    long_ago = [
        each
        for each in filed
        if each.path not in paths and (each.verified_at or each.written_at) < now - VERIFY_AFTER
    ]
    for each in [*changed, *sorted(long_ago, key=lambda one: one.verified_at or one.written_at)]:
        if time.monotonic() - began > within_s:
            break
        if fault := verify(connection, folder, each):
            log.warning("the file of site %d, %s is %s", each.site_id, each.day, fault)
            found[fault] += 1
    return found
