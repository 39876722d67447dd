"""`./run bench`: the benchmarks, each a ratio taken side by side."""

import subprocess
import sys

import click

from infrastructure.local.folders import CHECKOUT
from infrastructure.local.frontend import build_front_ends
from infrastructure.local.server_programs import prepare_servers


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Run all benchmarks or those NAMEd; `--json FILE` writes the figures."""
    prepare_servers()
    build_front_ends()
    ran = subprocess.run(
        [sys.executable, "-P", "-m", "tests.benchmarks", *arguments], cwd=CHECKOUT, check=False
    )
    sys.exit(ran.returncode)
