"""`./run chaos`: real processes are killed, stopped and cut off while events are sent."""

import subprocess
import sys

import click

from infrastructure.local.folders import CHECKOUT
from infrastructure.local.frontend import build_front_ends
from infrastructure.local.server_programs import prepare_servers


@click.command()
@click.option("--minutes", type=click.FloatRange(0.1), default=1.0, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="Decides every fault.")
@click.option(
    "--journal", is_flag=True, help="With an edge's journal; the primary loses its disk too."
)
def command(minutes: float, seed: int, *, journal: bool) -> None:
    """Break everything at random, then account for every acknowledged event by its id.

    Exit code 1 when one is lost, duplicated or invented, or any answer differs from what an
    undisturbed installation says of the same traffic.
    """
    prepare_servers()
    build_front_ends()
    arguments = ["--minutes", f"{minutes:g}", "--seed", str(seed)]
    arguments += ["--journal"] if journal else []
    ran = subprocess.run(
        [sys.executable, "-P", "-m", "tests.chaos", *arguments], cwd=CHECKOUT, check=False
    )
    sys.exit(ran.returncode)
