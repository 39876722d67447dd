"""The verbs for what owners save by name: `goal`, `segment` and `exclusion` are made alike."""

from datetime import UTC, datetime
from typing import Any

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from api.saved import Kind, Saved, drop_saved_named, list_saved, put_saved
from api.sites import read_site
from infrastructure.administration import in_transaction, say_whose_data
from infrastructure.filter_words import read_filters, say_filters
from infrastructure.spoken import AS_JSON, example, print_json
from infrastructure.whole_table import plain_console, print_table
from shared.program import PROGRAM

FILTERS = click.argument("filters", nargs=-1, required=True, metavar="FILTER...")


def list_verb(kind: Kind) -> click.Command:
    """`list`."""

    @click.command("list", epilog=example(f"{kind.noun} list example.com"))
    @click.argument("site")
    @AS_JSON
    def list_(site: str, as_json: bool) -> None:
        saved = in_transaction(lambda db: _list(db, kind, site))
        if as_json:
            print_json(saved)
        elif not saved:
            click.echo(f"{site} has no {kind.noun}: `{PROGRAM} {kind.noun} add --help`.")
        else:
            rows = [(str(one.id), one.name, say_filters(one.filters)) for one in saved]
            print_table(("id", kind.noun, "filters"), rows, plain_console())

    list_.help = f"Every {kind.noun} of SITE."
    return list_


def remove_verb(kind: Kind, done: str) -> click.Command:
    """`remove`."""

    @click.command("remove", epilog=example(f"{kind.noun} remove example.com NAME"))
    @click.argument("site")
    @click.argument("name")
    def remove(site: str, name: str) -> None:
        async def work(db: AsyncConnection) -> None:
            await drop_saved_named(db, kind, await _site_id(db, site), name)

        in_transaction(work)
        click.echo(done)

    remove.help = f"Remove the {kind.noun} NAME of SITE."
    return remove


def add_verb(kind: Kind, what: str, examples: tuple[str, ...], done: str) -> click.Command:
    """`add`, by filters alone."""

    @click.command("add", epilog=example(*examples))
    @click.argument("site")
    @click.argument("name")
    @FILTERS
    @AS_JSON
    def add(site: str, name: str, filters: tuple[str, ...], as_json: bool) -> None:
        saved = save(kind, site, name, read_filters(filters))
        say_saved(saved, as_json, done)

    add.help = f"""{what}

    FILTER is one as `event:page=/admin,/login`, with `!=`, `~` (contains) or `!~`, or JSON as the
    API takes it; all of them must hold."""
    return add


def save(kind: Kind, site: str, name: str, filters: list[Any]) -> Saved:
    """Raises Refusal."""
    say_whose_data()

    async def work(db: AsyncConnection) -> Saved:
        return await put_saved(db, kind, await _site_id(db, site), name, filters)

    return in_transaction(work)


def say_saved(saved: Saved, as_json: bool, done: str) -> None:
    """What has been saved, and what it does from now on."""
    if as_json:
        print_json(saved)
    else:
        click.echo(f"Saved {saved.name} ({say_filters(saved.filters)}): {done}")


def group(help_: str, *verbs: click.Command) -> click.Group:
    """Verbs under one word."""
    made = click.Group(help=help_)
    for verb in verbs:
        made.add_command(verb)
    return made


async def _list(db: AsyncConnection, kind: Kind, site: str) -> list[Saved]:
    return await list_saved(db, kind, await _site_id(db, site))


async def _site_id(db: AsyncConnection, site: str) -> int:
    return (await read_site(db, site, datetime.now(UTC))).site_id
