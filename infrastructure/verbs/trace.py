"""`millrace trace`: where one event is."""

import click
import msgspec
from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from api.endpoints.trace import read_receipt
from api.trace import Trace, trace
from infrastructure.administration import core_settings, in_transaction
from infrastructure.plain_text import plain


@click.command()
@click.argument("receipt")
@click.option("--json", "as_json", is_flag=True, help="Print it as the API gives it.")
def command(receipt: str, as_json: bool) -> None:
    """Say where the event of RECEIPT is: stored, set aside, on its way, or nowhere."""
    event_id = read_receipt(receipt)

    async def work(db: AsyncConnection) -> Trace:
        return await trace(db, event_id, core_settings().archive_folder)

    found = in_transaction(work)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)))
        return
    click.echo(f"{found.found}: {found.meaning}")
    table = Table.grid(padding=(0, 2))
    for name, value in _told(found):
        # A client's text is shown as it is, never as markup or control characters.
        table.add_row(name, plain(value))
    Console(markup=False, highlight=False).print(table)


def _told(found: Trace) -> list[tuple[str, object]]:
    fields = msgspec.structs.asdict(found)
    event = fields.pop("event") or {}
    del fields["found"], fields["meaning"]
    told = [*fields.items(), *event.items()]
    return [(name, value) for name, value in told if value not in (None, "")]
