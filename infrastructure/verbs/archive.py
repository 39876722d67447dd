"""`millrace archive`: closed days as Parquet files, written, listed and verified."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

import click
import duckdb
from psycopg import Connection

from infrastructure.core_database import core_database
from infrastructure.local.running import use_running
from infrastructure.plain_text import Storable
from infrastructure.problem import Problem
from infrastructure.progress import Report, step
from infrastructure.whole_table import plain_console, print_table
from shared.settings import JobsSettings, load
from writer.archive.check import verify as verify_file
from writer.archive.day import Became
from writer.archive.record import Choice, Filed, read_filed
from writer.archive.work import Busy, Progress, write_due

_ANSWER_S = 600.0
"""A snapshot of a large day is long in coming."""
_BECAME = {
    Became.WRITTEN: "written",
    Became.TOUCHED: "changed meanwhile: due again",
    Became.BEHIND: "wait for the rollups, which have not come so far",
    Became.ELSEWHERE: "not in the database",
    Became.FAULTY: "not in the database, and their file is not what was written",
}
_COLUMNS = ("site", "day", "rows", "bytes", "per row", "version", "written", "state")

_DAY = click.DateTime(["%Y-%m-%d"])
_site = click.option("--site", type=Storable(), help="Only this site's.")
_day = click.option("--day", type=_DAY, help="Only this day.")
_from = click.option("--from", "first", type=_DAY, help="From this day on.")
_to = click.option("--to", "last", type=_DAY, help="Up to this day, which is included.")


@click.group()
def command() -> None:
    """Closed days as Parquet files: write, list, verify."""


@command.command()
@_site
@_day
@_from
@_to
def write(
    site: str | None, day: datetime | None, first: datetime | None, last: datetime | None
) -> None:
    """Write every closed day that has no current file; the job does so each hour."""
    settings = _settings()
    with _connected(settings) as connection, step("Writing the archive") as report:
        choice = _choice(connection, site, day, first, last)
        try:
            became = write_due(
                connection,
                settings.archive_folder,
                settings.archive_memory_mb,
                datetime.now(UTC),
                choice,
                tell=lambda progress: _show(progress, report),
            )
        except Busy:
            raise Problem("The job writes the archive just now: try again later.") from None
        except (duckdb.Error, OSError) as error:
            raise Problem(f"Not every day could be written: {error}") from error
    _tell(became)


@command.command("list")
@_site
@_day
@_from
@_to
def list_(
    site: str | None, day: datetime | None, first: datetime | None, last: datetime | None
) -> None:
    """Each day's file, and whether it is stale."""
    with _connected(_settings()) as connection:
        filed = read_filed(connection, _choice(connection, site, day, first, last))
    print_table(_COLUMNS, map(_cells, filed), plain_console())
    rows, size = sum(each.rows for each in filed), sum(each.size for each in filed)
    click.echo(f"{len(filed)} files, {rows} rows, {size} bytes")


@command.command()
@_site
@_day
@_from
@_to
def verify(
    site: str | None, day: datetime | None, first: datetime | None, last: datetime | None
) -> None:
    """Read each file, count its rows, compare its SHA-256; exits 1 if one is not what it was."""
    settings = _settings()
    faults: list[tuple[Filed, str]] = []
    with _connected(settings) as connection, step("Reading the archive") as report:
        filed = read_filed(connection, _choice(connection, site, day, first, last))
        for done, each in enumerate(filed):
            report(done, len(filed))
            if fault := verify_file(connection, settings.archive_folder, each):
                faults.append((each, fault))
    for each, fault in faults:
        click.echo(f"{fault}: {each.path} ({each.site}, {each.day}){_remedy(each)}")
    click.echo(f"{len(filed)} files, {len(faults)} damaged")
    if faults:
        raise click.exceptions.Exit(1)


def _remedy(filed: Filed) -> str:
    if filed.state == "file":
        return ": its rows have left the database, restore the file from a backup"
    return ": `archive write` writes it anew, until then rows answer"


def _tell(became: Counter[Became]) -> None:
    for each, meaning in _BECAME.items():
        if became[each]:
            click.echo(f"{became[each]} {meaning}")
    if not became:
        click.echo("Nothing is due.")


def _show(progress: Progress, report: Report) -> None:
    # A day counts when it is done; its bytes only show that it moves.
    report(progress.done, max(progress.total, 1))


def _settings() -> JobsSettings:
    use_running()
    return load(JobsSettings, os.environ)


@contextmanager
def _connected(settings: JobsSettings) -> Iterator[Connection[Any]]:
    with core_database(settings.postgres_url, _ANSWER_S) as connection:
        yield connection


def _choice(
    connection: Connection[Any],
    site: str | None,
    day: datetime | None,
    first: datetime | None,
    last: datetime | None,
) -> Choice:
    if day is not None and (first is not None or last is not None):
        raise Problem("Name one day, or the first and the last of some, not both.")
    return Choice(_site_id(connection, site), _date(day or first), _date(day or last))


def _site_id(connection: Connection[Any], key: str | None) -> int | None:
    if key is None:
        return None
    row = connection.execute("SELECT site_id FROM site WHERE key = %s", (key,)).fetchone()
    if row is None:
        raise Problem(f"There is no site {key}: `site list` shows them.")
    return int(row[0])


def _date(at: datetime | None) -> date | None:
    return None if at is None else at.date()


def _cells(filed: Filed) -> tuple[str, ...]:
    per_row = f"{filed.size / filed.rows:.1f}" if filed.rows else ""
    state = filed.fault or ("stale" if filed.stale else "current")
    if filed.state == "file":
        state += ", the only record"
    return (
        filed.site,
        filed.day.isoformat(),
        str(filed.rows),
        str(filed.size),
        per_row,
        str(filed.version),
        f"{filed.written_at:%Y-%m-%d %H:%M:%S}Z",
        state,
    )
