"""How verbs speak: examples in their help, and JSON where a script wants it."""

from typing import Any

import click
import msgspec

from shared.program import PROGRAM

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def example(*words: str) -> str:
    """The end of a verb's help: what to type, in the form that works here."""
    return "\b\nExample:\n" + "\n".join(f"  {PROGRAM} {each}" for each in words)


def print_json(value: Any) -> None:
    """On standard output, indented."""
    click.echo(msgspec.json.format(msgspec.json.encode(value)))
