"""`millrace settings`: every setting there is."""

import os
import sys

import click
import msgspec
from click.shell_completion import CompletionItem

from infrastructure.local.running import use_running
from infrastructure.manifest import read_manifest
from infrastructure.plain_text import plain
from infrastructure.problem import Problem
from infrastructure.settings_page import read_by, settings_page
from shared.settings import Described, Unknown, describe, unknown


def _complete(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    names = [row.variable for row in describe({}) if row.variable.startswith(incomplete.upper())]
    return [CompletionItem(name) for name in names]


@click.command()
@click.argument("names", nargs=-1, shell_complete=_complete)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--markdown", is_flag=True, help="Print the reference page.")
def command(names: tuple[str, ...], as_json: bool, markdown: bool) -> None:
    """Value (secrets masked), source, default, unit and meaning of each, or of those whose name
    holds one of NAMES.

    Exit code 1 when one cannot be used, or a variable MILLRACE_… is none.
    """
    if markdown:
        click.echo(settings_page(read_manifest()), nl=False)
        return
    rows, strangers = _read(names)
    if as_json:
        click.echo(msgspec.json.encode(_plain(rows, strangers)))
    else:
        for row in rows:
            _show(row)
        for stranger in strangers:
            click.echo(click.style(plain(stranger), fg="red"))
    sys.exit(1 if strangers or any(row.fault for row in rows) else 0)


def _read(names: tuple[str, ...]) -> tuple[list[Described], list[Unknown]]:
    given = set(os.environ)
    strangers = list(unknown(os.environ))
    use_running()
    rows = [_with_origin(row, given) for row in describe(os.environ)]
    if names:
        wanted = [name.upper() for name in names]
        rows = [row for row in rows if any(name in row.variable for name in wanted)]
        if not rows:
            raise Problem(f"No setting has {' or '.join(map(plain, names))} in its name.")
    return rows, strangers


def _with_origin(row: Described, given: set[str]) -> Described:
    """What runs here was started with it, whoever chose it."""
    is_set = row.source not in ("default", "not set")
    return row._replace(source="what runs here") if is_set and row.source not in given else row


def _plain(rows: list[Described], strangers: list[Unknown]) -> dict[str, object]:
    manifest = read_manifest()
    settings = [{**row._asdict(), "read_by": read_by(manifest, row.variable)} for row in rows]
    return {"settings": settings, "unknown": [stranger._asdict() for stranger in strangers]}


def _show(row: Described) -> None:
    click.echo(f"{click.style(row.variable, bold=True)}={plain(row.value)}\n    {_about(row)}")
    if row.fault:
        click.echo(click.style(f"    cannot be used: {plain(row.fault)}", fg="red"))


def _about(row: Described) -> str:
    unit = f" [{row.unit}]" if row.unit else ""
    source = "environment" if row.source == row.variable else row.source
    default = f", default {row.default}" if row.default and source != "default" else ""
    return f"{row.meaning}{unit} (from: {source}{default})"
