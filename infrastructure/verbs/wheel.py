"""`./run wheel`: what an edge or a core installs from."""

import subprocess
import sys
from pathlib import Path

import click

from infrastructure.local.folders import CHECKOUT
from infrastructure.local.frontend import build_front_ends
from infrastructure.problem import Problem
from infrastructure.progress import step


@click.command()
@click.option(
    "--outdir",
    type=click.Path(file_okay=False, path_type=Path),
    default=CHECKOUT / "dist",
    help="Where to put it; `dist` of the checkout when nothing is said.",
)
def command(outdir: Path) -> None:
    """Build the tracker and the pages, then the wheel that holds them; prints its path."""
    build_front_ends()
    options = ("--wheel", "--no-isolation", "--outdir", str(outdir))
    with step("Building the wheel"):
        ran = subprocess.run(
            [sys.executable, "-m", "build", *options, str(CHECKOUT)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    if ran.returncode:
        end = "\n".join(ran.stdout.strip().splitlines()[-25:])
        raise Problem(f"The wheel cannot be built:\n{end}")
    click.echo(max(outdir.glob("millrace-*.whl"), key=lambda path: path.stat().st_mtime_ns))
