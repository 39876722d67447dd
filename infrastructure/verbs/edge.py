"""`millrace edge`: the registry of edges, whose streams the writers read."""

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from api.edges import EdgeRow, put_edge, read_edges, retire_edge
from infrastructure.administration import in_transaction


@click.group()
def command() -> None:
    """Register, retire and list edges."""


@command.command()
@click.argument("name")
def add(name: str) -> None:
    """Read the stream of the edge NAME from now on."""

    async def work(db: AsyncConnection) -> None:
        await put_edge(db, name)

    in_transaction(work)
    click.echo(f"Added {name}. On the edge set MILLRACE_EDGE_NAME={name}")
    click.echo("and the two public keys that `keys public` prints on the core.")


@command.command()
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


@command.command("list")
def list_() -> None:
    """Every edge, as of its last heartbeat."""
    table = Table("edge", "last heard", "spooled batches", "spooled bytes")
    for edge in in_transaction(read_edges):
        table.add_row(*_cells(edge))
    Console().print(table)


def _cells(edge: EdgeRow) -> tuple[str, ...]:
    heard = f"{edge.last_heard:%Y-%m-%d %H:%M:%S}Z" if edge.last_heard else "never"
    name = f"{edge.edge} (retired)" if edge.retired_at else edge.edge
    return name, heard, str(edge.spooled_batches), str(edge.spooled_bytes)
