"""`./run reset`: deletes what `up` or `demo` has kept, once somebody has said so."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import click

from infrastructure.local.contents import Contents, folder_bytes, read_contents, started
from infrastructure.local.docker_servers import DockerServer
from infrastructure.local.folders import state_folder
from infrastructure.local.installation import read_installation
from infrastructure.local.post import Post
from infrastructure.local.running import PURPOSES, drop_running, read_running
from infrastructure.local.server import SERVER_SETTINGS
from infrastructure.local.stack import local_stack
from infrastructure.problem import Problem
from infrastructure.progress import step
from infrastructure.status.screen import size

_END_WITHIN_S = 120.0


@click.command()
@click.argument("name", type=click.Choice(PURPOSES), default=PURPOSES[0])
@click.option("--stop", is_flag=True, help="End it first where it runs.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(name: str, stop: bool, yes: bool) -> None:
    """Delete events, sites, people, keys and logs of NAME (up, if not said), for ever.

    What will be deleted is said first. Servers that the environment names keep their data.
    """
    folder = state_folder(name)
    if not folder.exists():
        click.echo(f"There is nothing of `{name}`: {folder} does not exist.")
        for other in PURPOSES:
            if state_folder(other).exists():
                click.echo(f"There is a `{other}`: `./run reset {other}` deletes that.")
        return
    if Post(folder).pid() is not None and not stop:
        end = "`./run down`" if name == PURPOSES[0] else "Ctrl-C where it was started"
        raise Problem(f"`{name}` runs: end it ({end}), or add --stop.")
    for line in _what(folder):
        click.echo(line)
    if not yes and click.prompt(f"Type {name} to delete all of it") != name:
        raise Problem("Nothing was deleted.")
    _end(folder)
    _delete(folder)
    click.echo(f"Deleted. `./run {name}` begins anew.")


def _what(folder: Path) -> Iterator[str]:
    yield f"In {folder}, {size(folder_bytes(folder))}:"
    try:
        yield from _say(_contents(folder))
    except (Problem, OSError) as problem:
        yield f"  a database, which cannot be asked what it holds: {problem}"
    yield "  the keys: what waits sealed to them elsewhere can never be opened again"
    yield "  settings, passwords and logs"
    for setting in SERVER_SETTINGS:
        if os.environ.get(setting):
            yield f"The server of {setting} is not ours: it keeps what it holds."


def _contents(folder: Path) -> Contents:
    running = read_running(folder)
    if running:
        return read_contents(running)
    with step("Looking at what is there"), started(folder, os.environ) as settings:
        return read_contents(settings)


def _say(contents: Contents) -> Iterator[str]:
    sites = ", ".join(contents.sites[:5]) + (" …" if len(contents.sites) > 5 else "")
    of = f" of {sites}" if sites else ""
    yield f"  {contents.events} events{of}; the database takes {size(contents.database_bytes)}"
    yield f"  {contents.owners} owners, {contents.api_keys} API keys, {len(contents.sites)} sites"
    yield f"  {contents.waiting} batches that wait, {contents.quarantined} set aside"


def _end(folder: Path) -> None:
    if Post(folder).pid() is not None:
        with step("Ending services and servers"):
            Post(folder).end(_END_WITHIN_S)


def _delete(folder: Path) -> None:
    with step("Deleting"), Post(folder).held():
        _delete_volumes(folder)
        drop_running(folder)
        # In one step: whoever starts meanwhile begins anew, and never on a half.
        going = folder.with_name(f"{folder.name}.deleted-{os.getpid()}")
        folder.rename(going)
        shutil.rmtree(going)


def _delete_volumes(folder: Path) -> None:
    installation = read_installation(folder)
    if installation is None:
        return
    server = local_stack(folder, installation.stack, os.environ).spool
    if isinstance(server, DockerServer):
        server.containers.run("down", "--volumes")
