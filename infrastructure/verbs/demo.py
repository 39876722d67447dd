"""`./run demo`: everything at once, an outage included."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console

from infrastructure.demo.household import OWNER, SITE, settle_in
from infrastructure.demo.plan import say_plan
from infrastructure.demo.play import Play
from infrastructure.demo.screen import Screen, account_table
from infrastructure.local.folders import state_folder
from infrastructure.local.frontend import build_front_ends
from infrastructure.local.geo import put_geo
from infrastructure.local.installation import Installation, open_installation
from infrastructure.local.post import Post
from infrastructure.local.product import Product, make_product
from infrastructure.local.server_programs import prepare_servers
from infrastructure.local.stack import local_stack
from infrastructure.local.supervisor import given_settings
from infrastructure.manifest import read_manifest
from infrastructure.progress import step

PURPOSE = "demo"


@click.command()
@click.option("--once", is_flag=True, help="End after one outage; exit code 1 unless all is well.")
@click.option("--free-ports", is_flag=True, help="Choose free ports in place of 4001 to 4106.")
@click.option(
    "--rate",
    default=60.0,
    show_default=True,
    type=click.FloatRange(1, 500),
    help="Events a second.",
)
def command(once: bool, free_ports: bool, rate: float) -> None:
    """Set everything up, send traffic that looks real, stop the primary for a while, and account
    for every event."""
    console = Console(highlight=False, soft_wrap=True)
    folder = state_folder(PURPOSE)
    say_plan(console, folder)
    prepare_servers()
    build_front_ends()
    put_geo(folder / "geo")
    with Post(folder).held(), _product(folder, free_ports) as (product, installation, site_id):
        _say_where(console, product, installation, once)
        try:
            sys.exit(asyncio.run(_play(product, site_id, console, once, rate)))
        except asyncio.CancelledError:
            sys.exit(130)


@contextlib.contextmanager
def _product(folder: Path, free: bool) -> Iterator[tuple[Product, Installation, int]]:
    """Everything running, with the owner and the site in it."""
    manifest = read_manifest()
    installation = open_installation(folder, manifest, os.environ, free=free)
    stack = local_stack(folder, installation.stack, os.environ)
    # The made-up visitors have addresses of their own, in X-Forwarded-For.
    changes = {"MILLRACE_EDGE_TRUSTED_PROXIES": "127.0.0.1/32", **given_settings()}
    product = make_product(folder, installation, stack, changes=changes, manifest=manifest)
    try:
        with step("Starting servers and services"):
            product.start_servers()
            site_id = asyncio.run(settle_in(product.postgres_url, installation.owner_password))
            product.start()
        yield product, installation, site_id
    finally:
        product.close()


async def _play(product: Product, site_id: int, console: Console, once: bool, rate: float) -> int:
    stop = asyncio.Event()
    _stop_by_signal(stop)
    with Screen(console) as screen:
        account = await Play(product, site_id, screen, stop, once, rate).run()
    console.print(account_table(account))
    return 0 if account.is_clean or not once else 1


def _stop_by_signal(stop: asyncio.Event) -> None:
    """The first Ctrl-C ends the traffic, a second one does not wait for the account."""
    running = asyncio.current_task()
    assert running is not None

    def told() -> None:
        if stop.is_set():
            running.cancel()
        stop.set()

    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, told)


def _say_where(console: Console, product: Product, installation: Installation, once: bool) -> None:
    console.print()
    console.print(f"The live page:  [bold]{product.api_url}/live?site={SITE}[/]")
    console.print(f"Sign in with:   {OWNER}  {installation.owner_password}")
    console.print(f"Beacons go to:  {product.edge_url}/track")
    if not once:
        console.print("Ctrl-C ends it, with the account.")
    console.print()
