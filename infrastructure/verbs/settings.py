"""`millrace settings`: every setting there is."""

import os

import click

from infrastructure.local.running import use_running
from shared.settings import Described, describe


@click.command()
def command() -> None:
    """Value (secrets masked), source, default, unit and meaning of each setting."""
    use_running()
    for row in describe(os.environ):
        click.echo(f"{click.style(row.variable, bold=True)}={row.value}\n    {_about(row)}")


def _about(row: Described) -> str:
    unit = f" [{row.unit}]" if row.unit else ""
    source = "environment" if row.source == row.variable else row.source
    default = f", default {row.default}" if row.default and source != "default" else ""
    return f"{row.meaning}{unit} (from: {source}{default})"
