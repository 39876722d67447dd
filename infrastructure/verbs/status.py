"""`./run status`: what runs, what is ready, and where."""

import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from infrastructure.local.folders import state_folder
from infrastructure.local.processes import make_processes
from infrastructure.local.running import PURPOSES, read_running
from infrastructure.local.service import Service
from infrastructure.manifest import read_manifest


@click.command()
def command() -> None:
    """One line a service; exit code 1 unless all are ready."""
    shown = [_show(purpose) for purpose in PURPOSES if read_running(state_folder(purpose))]
    if not shown:
        click.echo("Nothing is up: start it with `./run up`.")
    sys.exit(0 if shown and all(shown) else 1)


def _show(purpose: str) -> bool:
    folder = state_folder(purpose)
    services = list(_services(folder))
    ready = {service.name: service.is_ready() for service in services}
    table = Table(title=f"{purpose}: {folder}", title_justify="left")
    for column in ("service", "state", "address", "health and metrics"):
        table.add_column(column, overflow="fold")
    for service in services:
        state = "ready" if ready[service.name] else "not ready"
        table.add_row(service.name, state, _address(service), service.ops_url)
    Console().print(table)
    click.echo(f"Logs: {folder / 'logs'}")
    return all(ready.values())


def _services(folder: Path) -> list[Service]:
    settings = read_running(folder) or {}
    return list(make_processes(read_manifest(), settings, folder / "logs"))


def _address(service: Service) -> str:
    port = service.entry.port
    return f"http://127.0.0.1:{service.settings[port.setting]}" if port else ""
