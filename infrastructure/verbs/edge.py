"""`millrace edge`: the registry of edges, whose streams the writers read."""

import os
from datetime import datetime

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from api.edges import EdgeRow, put_edge, read_edges, retire_edge
from infrastructure.administration import in_transaction, say_whose_data
from infrastructure.spoken import AS_JSON, example, print_json
from infrastructure.status.screen import size
from infrastructure.whole_table import plain_console, print_table
from shared.keys import public_seal_key, public_signing_key
from shared.program import PROGRAM
from shared.settings import read_setting, variable

_PRIMARY = "rediss://USER:PASSWORD@CORE-HOST:6379/0"
_SPOOL = "redis://127.0.0.1:6379/0"


@click.group()
def command() -> None:
    """Register, retire and list edges."""


@command.command(epilog=example("edge add paris"))
@click.argument("name")
@AS_JSON
def add(name: str, as_json: bool) -> None:
    """Read the stream of the edge NAME from now on; prints the environment it needs."""
    say_whose_data()

    async def work(db: AsyncConnection) -> None:
        await put_edge(db, name)

    in_transaction(work)
    environment = _environment(name)
    if as_json:
        print_json(environment)
        return
    click.echo(f"Added {name}. Its environment, with the primary as that host reaches it", err=True)
    click.echo("(a Redis user of the edge's own) and the spool beside it:", err=True)
    for variable_name, value in environment.items():
        click.echo(f"{variable_name}={value}")
    if not _knows_keys(environment):
        click.echo(f"`{PROGRAM} keys public` prints the two keys on the core.", err=True)
    click.echo("There, run `python -m edge` and `python -m edge.drain` with it.", err=True)


@command.command(epilog=example("edge retire paris"))
@click.argument("name")
def retire(name: str) -> None:
    """Wait no longer for the edge NAME: days count as final without it.

    It comes back with `edge add NAME`, or when it is heard again.
    """

    async def work(db: AsyncConnection) -> EdgeRow:
        return await retire_edge(db, name)

    edge = in_transaction(work)
    click.echo(f"Retired {name}: what it may still hold is written off until it returns.")
    if edge.spooled_batches:
        click.echo(f"Its spool held {edge.spooled_batches} batches when it was last heard.")


@command.command("list", epilog=example("edge list"))
@AS_JSON
def list_(as_json: bool) -> None:
    """Every edge, as of its last heartbeat."""
    edges = in_transaction(read_edges)
    if as_json:
        print_json(edges)
    elif not edges:
        click.echo(f"There is no edge yet: `{PROGRAM} edge add paris` registers one.")
    else:
        names = ("edge", "added", "last heard", "spooled batches", "the spool takes")
        print_table(names, map(_cells, edges), plain_console())


def _environment(name: str) -> dict[str, str]:
    """By variable; the keys are left empty where this is not the core."""
    signing = read_setting("signing_key", os.environ)
    sealing = (read_setting("seal_keys", os.environ) or "").split()
    return {
        variable("edge_name"): name,
        variable("primary_url"): _PRIMARY,
        variable("spool_url"): _SPOOL,
        variable("core_verify_key"): public_signing_key(signing) if signing else "",
        variable("seal_public_key"): public_seal_key(sealing[0]) if sealing else "",
    }


def _knows_keys(environment: dict[str, str]) -> bool:
    return bool(
        environment[variable("core_verify_key")] and environment[variable("seal_public_key")]
    )


def _cells(edge: EdgeRow) -> tuple[str, ...]:
    name = f"{edge.edge} (retired)" if edge.retired_at else edge.edge
    heard = _utc(edge.last_heard) if edge.last_heard else "never"
    return name, _utc(edge.added_at), heard, f"{edge.spooled_batches:,}", size(edge.spooled_bytes)


def _utc(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}Z"
