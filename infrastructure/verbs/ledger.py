"""`millrace ledger`: whether everything that was acknowledged is accounted for."""

import os
from collections.abc import Iterable
from typing import Any

import click
import msgspec
import psycopg
from redis import Redis
from redis.exceptions import RedisError
from rich.console import Console
from rich.table import Table

from infrastructure.local.running import use_running
from infrastructure.problem import Problem
from shared.settings import JobsSettings, load
from writer.ledger_equation import EdgeSums, Missing, SiteSums, read_edge

_TIMEOUT_S = 30
_EDGES = "SELECT edge FROM edge WHERE %s::text IS NULL OR edge = %s ORDER BY edge"
_COLUMNS = ("received", "stored", "duplicate", "dropped", "quarantined")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--edge", help="Only this edge.")
def command(as_json: bool, edge: str | None) -> None:
    """received = stored + duplicate + dropped + quarantined + in flight + spooled.

    By edge and by site, in events. Exits 1 when it does not hold, and names what is missing.
    """
    found = _read(edge)
    holds = all(sums.holds for sums in found)
    if as_json:
        click.echo(msgspec.json.encode({"holds": holds, "edges": [_plain(e) for e in found]}))
    else:
        _show(found, holds)
    if not holds:
        raise click.exceptions.Exit(1)


def _read(edge: str | None) -> list[EdgeSums]:
    use_running()
    settings = load(JobsSettings, os.environ)
    try:
        with (
            psycopg.connect(settings.postgres_url, autocommit=True) as connection,
            Redis.from_url(settings.primary_url, socket_timeout=_TIMEOUT_S) as redis,
        ):
            names = [name for (name,) in connection.execute(_EDGES, (edge, edge))]
            if edge is not None and not names:
                raise Problem(f"There is no edge {edge}: `edge list` shows them all.")
            return [read_edge(connection, redis, name) for name in names]
    except psycopg.Error as error:
        raise Problem(
            "The database of MILLRACE_POSTGRES_URL does not answer: start it, mend the URL, "
            f"or run `migrate` ({type(error).__name__})."
        ) from error
    except RedisError as error:
        raise Problem(
            "The primary of MILLRACE_PRIMARY_URL does not answer, and what is in flight "
            "stands there alone: start it, or mend the URL."
        ) from error


def _plain(sums: EdgeSums) -> dict[str, Any]:
    return {**msgspec.to_builtins(sums), "holds": sums.holds}


def _show(found: list[EdgeSums], holds: bool) -> None:
    console = Console()
    console.print(_table("edge", [*_COLUMNS, "in flight", "spooled", "heard"], map(_edge, found)))
    sites = [(sums.edge, *_site(site)) for sums in found for site in sums.sites]
    console.print(_table("edge", ["site", *_COLUMNS, "under way"], sites))
    for sums in found:
        for one in sums.missing:
            console.print(_sentence(sums.edge, one), markup=False, soft_wrap=True)
    console.print("The equation holds." if holds else "The equation does not hold.")


def _table(first: str, names: list[str], rows: Iterable[tuple[str, ...]]) -> Table:
    table = Table(first, *names)
    for row in rows:
        table.add_row(*row)
    return table


def _edge(sums: EdgeSums) -> tuple[str, ...]:
    heard = sums.last_heard or "never"
    return (sums.edge, *_cells(sums), str(sums.in_flight), str(sums.spooled), heard)


def _site(sums: SiteSums) -> tuple[str, ...]:
    return (sums.site or "(not known)", *_cells(sums), str(sums.under_way))


def _cells(sums: EdgeSums | SiteSums) -> tuple[str, ...]:
    reasons = ", ".join(f"{n} {reason}" for reason, n in sums.dropped.items())
    plain = (sums.received, sums.stored, sums.duplicate)
    return (*map(str, plain), reasons or "0", str(sums.quarantined))


def _sentence(edge: str, one: Missing) -> str:
    numbers = ", ".join(
        str(first) if first == last else f"{first}-{last}" for first, last in one.numbers
    )
    events = "" if one.events is None else f" ({one.events} events)"
    return f"{edge}, boot {one.boot}, numbers {numbers or 'all'}{events}: {one.why}"
