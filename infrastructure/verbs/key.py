"""`millrace key`: API keys."""

from datetime import UTC, datetime

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from api.keys import KeyRow, put_key, read_keys, revoke_key
from api.sites import read_site
from infrastructure.administration import in_transaction, say_whose_data
from infrastructure.spoken import AS_JSON, example, print_json
from infrastructure.whole_table import plain_console, print_table
from shared.program import PROGRAM
from shared.snapshot import SCOPES


@click.group()
def command() -> None:
    """Make, list and revoke API keys."""


@command.command(
    epilog=example(
        "key add --scope query --site example.com --label 'weekly report'",
        "key add --scope ingest --scope import",
    )
)
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
@AS_JSON
def add(scopes: tuple[str, ...], site: str | None, label: str, as_json: bool) -> None:
    """Print a fresh key. It is stored as a hash, and not shown again."""
    say_whose_data()

    async def work(db: AsyncConnection) -> tuple[int, str]:
        found = await read_site(db, site, datetime.now(UTC)) if site is not None else None
        return await put_key(db, scopes, found.site_id if found else None, label)

    key_id, key = in_transaction(work)
    if as_json:
        print_json({"key_id": key_id, "key": key, "scopes": sorted(set(scopes)), "site": site})
        return
    whose = f" of {site}" if site else ""
    click.echo(f"Key {key_id} for {', '.join(scopes)}{whose}; it is not shown again:", err=True)
    click.echo(key)
    click.echo(f"`{PROGRAM} key revoke {key_id}` makes it useless.", err=True)


@command.command("list", epilog=example("key list"))
@AS_JSON
def list_(as_json: bool) -> None:
    """Every key, without its text."""
    keys = in_transaction(read_keys)
    if as_json:
        print_json(keys)
    elif not keys:
        click.echo(f"There is no key yet: `{PROGRAM} key add --scope query` makes one.")
    else:
        names = ("key", "scopes", "site", "label", "made", "revoked")
        print_table(names, map(_cells, keys), plain_console())


@command.command(epilog=example("key revoke 3"))
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
