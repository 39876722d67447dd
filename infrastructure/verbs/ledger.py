"""`millrace ledger`: whether everything that was acknowledged is accounted for."""

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click
import msgspec
from psycopg import Connection
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range
from redis import Redis
from redis.exceptions import RedisError

from infrastructure.core_database import core_database
from infrastructure.local.running import use_running
from infrastructure.plain_text import Storable, plain
from infrastructure.problem import Problem
from infrastructure.whole_table import plain_console, print_table
from shared.settings import JobsSettings, load
from writer.ledger.accepted import AcceptedLoss, accept_loss, read_accepted
from writer.ledger.equation import NOWHERE, EdgeSums, Missing, SiteSums, read_edge, spans
from writer.ledger.fold import numbers_of

_TIMEOUT_S = 30
_EDGES = "SELECT edge FROM edge WHERE %s::text IS NULL OR edge = %s ORDER BY edge"
_COLUMNS = ("received", "stored", "duplicate", "dropped", "quarantined")


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--edge", type=Storable(), help="Only this edge.")
@click.pass_context
def command(context: click.Context, as_json: bool, edge: str | None) -> None:
    """received = stored + duplicate + dropped + quarantined + in flight + spooled.

    By edge and by site, in events. Exits 1 when it does not hold, and names what is missing. A
    loss that was accepted has a column of its own.
    """
    if context.invoked_subcommand is None:
        _account(as_json, edge)


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user need have no name.
        return f"user {os.getuid()}"


@command.command()
@click.argument("edge", type=Storable())
@click.argument("boot", type=Storable())
@click.option(
    "--by", type=Storable(), default=_login, help="Who accepts it (your login, if not said)."
)
@click.option("--note", type=Storable(), default="", help="What was found out.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def accept(edge: str, boot: str, by: str, note: str, yes: bool) -> None:
    """Accept what BOOT of EDGE has lost, once you have looked into it.

    The batches are gone for ever: nothing is waited for any more, the alert goes quiet, and who
    accepted it is kept. Save the edge's spool and state folder first.
    """
    with _connected() as (connection, redis):
        missing = _lost(connection, redis, edge, boot)
        click.echo(_sentence(edge, missing))
        if not yes:
            click.confirm("Accept that they are lost for ever?", abort=True)
        numbers = Multirange([Range(first, last + 1) for first, last in missing.numbers])
        events = missing.events or 0
        loss = accept_loss(connection, edge, int(boot, 16), numbers, events, by, note)
    if loss is None:
        raise Problem("The ledger has not judged exactly these numbers: try again in a minute.")
    click.echo(_accepted_sentence(loss))


def _lost(connection: Connection[Any], redis: Redis, edge: str, boot: str) -> Missing:
    if not connection.execute(_EDGES, (edge, edge)).fetchall():
        raise Problem(f"There is no edge {edge}: `edge list` shows them all.")
    for one in read_edge(connection, redis, edge).missing:
        if (one.boot, one.why) == (boot, NOWHERE):
            if one.events is None:
                raise Problem(
                    f"Boot {boot} still holds other batches, so that the events of the lost ones "
                    "cannot be told: wait until it has handed them over, or has ended."
                )
            return one
    raise Problem(f"Nothing of boot {boot} of edge {edge} is lost: `ledger` shows what is.")


def _account(as_json: bool, edge: str | None) -> None:
    found, losses = _read(edge)
    holds = all(sums.holds for sums in found)
    if as_json:
        edges, accepted = [_plain(e) for e in found], [_plain_loss(loss) for loss in losses]
        shown = {"holds": holds, "edges": edges, "accepted_losses": accepted}
        click.echo(msgspec.json.encode(shown))
    else:
        _show(found, losses, holds)
    if not holds:
        raise click.exceptions.Exit(1)


def _read(edge: str | None) -> tuple[list[EdgeSums], list[AcceptedLoss]]:
    with _connected() as (connection, redis):
        names = [name for (name,) in connection.execute(_EDGES, (edge, edge))]
        if edge is not None and not names:
            raise Problem(f"There is no edge {edge}: `edge list` shows them all.")
        sums = [read_edge(connection, redis, name) for name in names]
        return sums, [loss for name in names for loss in read_accepted(connection, name)]


@contextmanager
def _connected() -> Iterator[tuple[Connection[Any], Redis]]:
    use_running()
    settings = load(JobsSettings, os.environ)
    try:
        with (
            core_database(settings.postgres_url) as connection,
            Redis.from_url(settings.primary_url, socket_timeout=_TIMEOUT_S) as redis,
        ):
            yield connection, redis
    except RedisError as error:
        raise Problem(
            "The primary of MILLRACE_PRIMARY_URL does not answer, and what is in flight "
            "stands there alone: start it, or mend the URL."
        ) from error


def _plain(sums: EdgeSums) -> dict[str, Any]:
    return {**msgspec.to_builtins(sums), "holds": sums.holds}


def _plain_loss(loss: AcceptedLoss) -> dict[str, Any]:
    numbers = [list(span) for span in spans(loss.numbers)]
    return {**loss._asdict(), "boot": f"{loss.boot:012x}", "numbers": numbers}


def _show(found: list[EdgeSums], losses: list[AcceptedLoss], holds: bool) -> None:
    console = plain_console()
    names = ["edge", *_COLUMNS, "in flight", "spooled", "accepted loss", "heard"]
    print_table(names, map(_edge, found), console)
    sites = [(sums.edge, *_site(site)) for sums in found for site in sums.sites]
    print_table(["edge", "site", *_COLUMNS, "under way"], sites, console)
    for sums in found:
        for one in sums.missing:
            click.echo(plain(_sentence(sums.edge, one)))
    for loss in losses:
        click.echo(plain(_accepted_sentence(loss)))
    click.echo("The equation holds." if holds else "The equation does not hold.")


def _edge(sums: EdgeSums) -> tuple[str, ...]:
    heard = _time(datetime.fromisoformat(sums.last_heard)) if sums.last_heard else "never"
    under_way = (sums.in_flight, sums.spooled, sums.accepted_lost)
    return (sums.edge, *_cells(sums), *map(_number, under_way), heard)


def _site(sums: SiteSums) -> tuple[str, ...]:
    return (sums.site or "(not known)", *_cells(sums), _number(sums.under_way))


def _cells(sums: EdgeSums | SiteSums) -> tuple[str, ...]:
    reasons = ", ".join(f"{n:,} {reason}" for reason, n in sums.dropped.items())
    plain = (sums.received, sums.stored, sums.duplicate)
    return (*map(_number, plain), reasons or "0", _number(sums.quarantined))


def _number(events: int) -> str:
    return f"{events:,}"


def _sentence(edge: str, one: Missing) -> str:
    numbers = ", ".join(
        str(first) if first == last else f"{first}-{last}" for first, last in one.numbers
    )
    events = "" if one.events is None else f" ({one.events:,} events)"
    return f"{edge}, boot {one.boot}, numbers {numbers or 'all'}{events}: {one.why}"


def _accepted_sentence(loss: AcceptedLoss) -> str:
    note = f": {loss.note}" if loss.note else ""
    return (
        f"{loss.edge}, boot {loss.boot:012x}, numbers {numbers_of(loss.numbers)} ({loss.events:,} "
        f"events, received between {_time(loss.since)} and {_time(loss.until)}): lost, accepted on "
        f"{_time(loss.accepted_at)} by {loss.accepted_by}{note}"
    )


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
