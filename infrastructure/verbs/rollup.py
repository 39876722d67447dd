"""`millrace rollup`: the sums that panels are answered from."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any

import click
from psycopg import Connection

from infrastructure.core_database import core_database
from infrastructure.local.running import use_running
from infrastructure.plain_text import Storable, plain
from infrastructure.problem import Problem
from infrastructure.progress import step
from shared.program import PROGRAM
from shared.settings import JobsSettings, load
from writer.rollups.days import SiteDay
from writer.rollups.rebuild import Difference, find_days, rebuild, verify
from writer.rollups.sums import Sums

_ANSWER_S = 300.0
_SITE = "SELECT site_id FROM site WHERE key = %s"
_NAME = "SELECT key FROM site WHERE site_id = %s"

_range = (
    click.option("--site", type=Storable(), help="Only this site, by its key."),
    click.option("--from", "since", type=click.DateTime(["%Y-%m-%d"]), help="First day."),
    click.option("--to", "until", type=click.DateTime(["%Y-%m-%d"]), help="Last day."),
)


def _of_range(function: Any) -> Any:
    for option in reversed(_range):
        function = option(function)
    return function


@click.group()
def command() -> None:
    """Make the rollups anew, or compare them with the raw events."""


@command.command("rebuild")
@_of_range
def rebuild_(site: str | None, since: datetime | None, until: datetime | None) -> None:
    """Make the rollups anew from the rows, day by day, while events go on coming in.

    Props that the site declares now are rolled up of these days, and dimensions that had been
    left out are tried again. Days whose rows have left the database are passed over.
    """
    with _connected() as connection:
        days = _find(connection, site, since, until)
        made = 0
        with step(f"rollups of {len(days)} site-days") as report, _engine() as sums:
            for number, of in enumerate(days, 1):
                made += rebuild(connection, of, sums)
                report(number, len(days))
    click.echo(f"The rollups of {made} site-days are made anew.")


@command.command("verify")
@_of_range
def verify_(site: str | None, since: datetime | None, until: datetime | None) -> None:
    """Compare the rollups with the raw events; print the first difference and exit 1."""
    with _connected() as connection:
        days = _find(connection, site, since, until)
        with step(f"{len(days)} site-days") as report, _engine() as sums:
            for number, of in enumerate(days, 1):
                found = verify(connection, of, sums)
                if found is not None:
                    break
                report(number, len(days))
            else:
                found = None
        if found is None:
            click.echo(f"The rollups of {len(days)} site-days agree with the raw events.")
            return
        _say(found, _name(connection, found.site_id))
    raise click.exceptions.Exit(1)


def _say(found: Difference, key: str) -> None:
    dimension, *rest = found.key
    where = " ".join(plain(part) for part in rest if part != "")
    what = plain(dimension) if dimension else "totals"
    click.echo(f"{plain(key)}, {found.day}, {found.table}, {what} {where}".rstrip())
    for name, stored in found.rolled_up.items():
        if stored != found.counted[name]:
            click.echo(f"  {name}: {stored} in the rollups, {found.counted[name]} counted")
    again = f"--site {key} --from {found.day} --to {found.day}"
    click.echo(f"`{PROGRAM} rollup rebuild {again}` makes that day anew.")


def _find(
    connection: Connection[Any], site: str | None, since: datetime | None, until: datetime | None
) -> list[SiteDay]:
    site_id = None
    if site is not None:
        row = connection.execute(_SITE, (site,)).fetchone()
        if row is None:
            raise Problem(f"There is no site {plain(site)}: `{PROGRAM} site list` names them.")
        site_id = int(row[0])
    return find_days(connection, site_id, _day(since), _day(until))


def _name(connection: Connection[Any], site_id: int) -> str:
    row = connection.execute(_NAME, (site_id,)).fetchone()
    return str(row[0]) if row else str(site_id)


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None


@contextmanager
def _connected() -> Iterator[Connection[Any]]:
    use_running()
    settings = load(JobsSettings, os.environ)
    with core_database(settings.postgres_url, _ANSWER_S) as connection:
        yield connection


@contextmanager
def _engine() -> Iterator[Sums]:
    sums = Sums()
    try:
        yield sums
    finally:
        sums.close()
