"""`./run down`: ends what `./run up` has started; the data stays."""

import os
import signal
import time

import click

from infrastructure.local.folders import state_folder
from infrastructure.local.post import Post
from infrastructure.local.supervisor import PURPOSE
from infrastructure.problem import Problem
from infrastructure.progress import console, step

_POLL_S = 0.1
_WITHIN_S = 120.0


@click.command()
def command() -> None:
    """End the services, then the servers. Nothing that was acknowledged is lost."""
    post = Post(state_folder(PURPOSE))
    pid = post.pid()
    if not pid:
        console.print("Nothing is up.")
        return
    os.kill(pid, signal.SIGTERM)
    with step("Ending services and servers"):
        deadline = time.monotonic() + _WITHIN_S
        while post.pid() is not None:
            if time.monotonic() > deadline:
                raise Problem(f"Process {pid} does not end: see {post.log}.")
            time.sleep(_POLL_S)
