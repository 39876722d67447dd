"""`./run up`: the whole product in the background, until `./run down`."""

import os
import subprocess
import sys
import time

import click

from infrastructure.local.folders import CHECKOUT, make_folder, state_folder
from infrastructure.local.frontend import build_front_ends
from infrastructure.local.geo import put_geo
from infrastructure.local.installation import read_installation
from infrastructure.local.post import Post
from infrastructure.local.running import drop_running, read_running
from infrastructure.local.server_programs import prepare_servers
from infrastructure.local.supervisor import PURPOSE, supervise
from infrastructure.problem import Problem
from infrastructure.progress import console, step
from infrastructure.verbs.keys import COST_OF_LOSS

_POLL_S = 0.1
_READY_WITHIN_S = 180.0


@click.command()
@click.option("--foreground", is_flag=True, help="Stay, and end with Ctrl-C.")
@click.option("--free-ports", is_flag=True, help="Choose free ports in place of 4001 to 4106.")
def command(foreground: bool, free_ports: bool) -> None:
    """Start servers and services; events and settings of the last time are still there."""
    folder = state_folder(PURPOSE)
    if Post(folder).pid() is not None:
        raise Problem("It is up already: see `./run status`.")
    prepare_servers()
    build_front_ends()
    if "MILLRACE_GEO_DIR" not in os.environ:
        put_geo(folder / "geo")
    if foreground:
        supervise(folder, free_ports=free_ports)
    else:
        _start(Post(folder), ["--free-ports"] if free_ports else [])
        _say_where()


def _start(post: Post, options: list[str]) -> None:
    drop_running(make_folder(post.folder))
    with post.log.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "infrastructure.local.supervisor", *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
            start_new_session=True,
        )
    with step("Starting servers and services"):
        deadline = time.monotonic() + _READY_WITHIN_S
        while not read_running(post.folder):
            if process.poll() is not None or time.monotonic() > deadline:
                raise Problem(post.log.read_text().strip() or f"It did not start: see {post.log}.")
            time.sleep(_POLL_S)


def _say_where() -> None:
    folder = state_folder(PURPOSE)
    settings, installation = read_running(folder), read_installation(folder)
    if settings and installation:
        console.print(f"Dashboard  {settings['MILLRACE_API_URL']}")
        console.print(f"Beacons    {settings['MILLRACE_EDGE_URL']}")
        console.print(f"Data       {folder}")
        console.print(COST_OF_LOSS)
        console.print(
            "Next: `./run owner add you@example.com`, `./run site add example.com`; "
            "`./run status`, `./run logs`, `./run down`."
        )
