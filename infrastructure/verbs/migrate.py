"""`millrace migrate`: the database brought to this version's shape."""

import os

import click

from infrastructure.local.running import use_running
from infrastructure.progress import step
from shared.settings import ApiSettings, load
from writer.migrate import upgrade


@click.command()
def command() -> None:
    """Apply every migration that is missing; none is applied twice."""
    use_running()
    settings = load(ApiSettings, os.environ)
    with step("Migrating the database"):
        upgrade(settings.postgres_url)
