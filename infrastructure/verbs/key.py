"""`millrace key`: API keys."""

from datetime import UTC, datetime

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from api.keys import KeyRow, put_key, read_keys, revoke_key
from api.sites import read_site
from infrastructure.administration import in_transaction
from shared.snapshot import SCOPES


@click.group()
def command() -> None:
    """Make, list and revoke API keys."""


@command.command()
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice(list(SCOPES)),
    help="What it is for; may stand several times.",
)
@click.option("--site", help="Bind it to this site; else it is good for every site.")
@click.option("--label", default="", help="To know it by.")
def add(scopes: tuple[str, ...], site: str | None, label: str) -> None:
    """Print a fresh key. It is not shown again."""

    async def work(db: AsyncConnection) -> tuple[int, str]:
        found = await read_site(db, site, datetime.now(UTC)) if site is not None else None
        return await put_key(db, scopes, found.site_id if found else None, label)

    key_id, key = in_transaction(work)
    click.echo(f"Key {key_id} for {', '.join(scopes)}; it is not shown again:", err=True)
    click.echo(key)


@command.command("list")
def list_() -> None:
    """Every key, without its text."""
    table = Table("key", "scopes", "site", "label", "made", "revoked")
    for key in in_transaction(read_keys):
        table.add_row(*_cells(key))
    Console().print(table)


@command.command()
@click.argument("key_id", type=click.IntRange(1))
def revoke(key_id: int) -> None:
    """Make a key useless, by the number that `list` shows."""

    async def work(db: AsyncConnection) -> None:
        await revoke_key(db, key_id, datetime.now(UTC))

    in_transaction(work)
    click.echo(f"Key {key_id} works no more; edges learn it with the next snapshot.")


def _cells(key: KeyRow) -> tuple[str, ...]:
    revoked = f"{key.revoked_at:%Y-%m-%d}" if key.revoked_at else ""
    made = f"{key.created_at:%Y-%m-%d}"
    return str(key.key_id), ", ".join(key.scopes), key.site or "every", key.label, made, revoked
