"""`./run logs`: the services' logs, their ends or as they grow."""

import os

import click

from infrastructure.local.folders import state_folder
from infrastructure.local.running import PURPOSES
from infrastructure.problem import Problem


@click.command()
@click.argument("services", nargs=-1)
@click.option("-f", "--follow", is_flag=True, help="Go on until Ctrl-C.")
@click.option("-n", "--lines", default=30, show_default=True, help="How many of each.")
@click.option("--of", "purpose", type=click.Choice(PURPOSES), default="up", show_default=True)
def command(services: tuple[str, ...], follow: bool, lines: int, purpose: str) -> None:
    """The logs of all SERVICES, or of those named (edge, drain, writer, jobs, api, realtime)."""
    folder = state_folder(purpose)
    logs = {path.stem: path for path in sorted((folder / "logs").glob("*.log"))}
    if not logs:
        raise Problem(f"There are no logs in {folder / 'logs'}: start it with `./run {purpose}`.")
    if unknown := set(services) - set(logs):
        raise Problem(f"There is no log of {min(unknown)}; there are {', '.join(logs)}.")
    chosen = [str(logs[name]) for name in services or logs]
    flags = ["-F"] if follow else []
    os.execvp("tail", ["tail", "-n", str(lines), *flags, *chosen])  # noqa: S606
