"""`./run down`: ends what `./run up` has started; the data stays."""

import click

from infrastructure.local.folders import state_folder
from infrastructure.local.post import Post
from infrastructure.local.supervisor import PURPOSE
from infrastructure.progress import console, step

_WITHIN_S = 120.0


@click.command()
def command() -> None:
    """End the services, then the servers. Nothing that was acknowledged is lost."""
    post = Post(state_folder(PURPOSE))
    if post.pid() is None:
        console.print("Nothing is up.")
        return
    with step("Ending services and servers"):
        post.end(_WITHIN_S)
