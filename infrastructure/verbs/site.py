"""`millrace site`: the sites that are counted."""

from datetime import UTC, datetime

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from api.sites import Site, put_site, read_sites
from infrastructure.administration import in_transaction
from shared.sites import TIME_ZONE


@click.group()
def command() -> None:
    """Add and list sites."""


@command.command()
@click.argument("domain")
@click.option("--time-zone", default="UTC", show_default=True, help="Whose days are counted.")
def add(domain: str, time_zone: str) -> None:
    """Count DOMAIN from now on."""

    async def work(db: AsyncConnection) -> Site:
        return await put_site(db, domain, {TIME_ZONE: time_zone}, datetime.now(UTC))

    site = in_transaction(work)
    click.echo(f"Added {site.key}, its days in {site.settings.time_zone}.")


@command.command("list")
def list_() -> None:
    """Every site."""

    async def work(db: AsyncConnection) -> list[Site]:
        return await read_sites(db, datetime.now(UTC))

    table = Table("site", "time zone", "added")
    for site in in_transaction(work):
        table.add_row(site.key, site.settings.time_zone, f"{site.created_at:%Y-%m-%d}")
    Console().print(table)
