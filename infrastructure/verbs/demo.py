"""`./run demo`: everything at once, an outage included."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import click
from rich.console import Console

from api.snippet import snippet
from infrastructure.demo.history import DAYS, EVENTS_A_DAY
from infrastructure.demo.household import OWNER, SITE, make_sign_in_link, settle_in
from infrastructure.demo.plan import say_plan
from infrastructure.demo.play import Play
from infrastructure.demo.screen import Screen, account_table
from infrastructure.demo.seed import Seed
from infrastructure.demo.shop import PORT as SHOP_PORT
from infrastructure.demo.shop import Wares, open_shop
from infrastructure.demo.tunnel import ssh_line
from infrastructure.local.folders import state_folder
from infrastructure.local.frontend import build_front_ends
from infrastructure.local.geo import put_geo
from infrastructure.local.installation import Installation, open_installation
from infrastructure.local.ports import Wanted, check_free, free_ports
from infrastructure.local.post import Post
from infrastructure.local.product import Product, make_product
from infrastructure.local.server_programs import prepare_servers
from infrastructure.local.stack import local_stack
from infrastructure.local.supervisor import given_settings
from infrastructure.manifest import read_manifest
from infrastructure.progress import step
from infrastructure.replay.import_key import ImportKey, own_key
from shared.program import PROGRAM

PURPOSE = "demo"
_FROM_HERE = (
    f"Your own site, with data of its own: `{PROGRAM} up`, `{PROGRAM} owner add you@example.com`, "
    f"`{PROGRAM} site add example.com`."
)
_RATE_ONCE = 60.0
_RATE = 4.0
"""So that some minutes of it do not dwarf the days before."""


@click.command()
@click.option("--once", is_flag=True, help="End after one outage; exit code 1 unless all is well.")
@click.option(
    "--free-ports",
    "choose_ports",
    is_flag=True,
    help="Choose free ports in place of 4001 to 4106.",
)
@click.option(
    "--rate",
    type=click.FloatRange(1, 500),
    help="Events a second; 60 with --once, else 4.",
)
@click.option("--no-history", is_flag=True, help="Do not fill the last two months first.")
@click.option(
    "--shop-port",
    type=click.IntRange(1, 65_535),
    help=f"Where the demo's own pages are served; else {SHOP_PORT}.",
)
def command(
    once: bool, choose_ports: bool, rate: float | None, no_history: bool, shop_port: int | None
) -> None:
    """Set everything up with two months of history, send traffic that looks real, stop the primary
    for a while, and account for every event.

    It has data of its own, which `up` never shows.
    """
    console = Console(highlight=False, soft_wrap=True)
    folder = state_folder(PURPOSE)
    say_plan(console, folder)
    prepare_servers()
    build_front_ends()
    put_geo(folder / "geo")
    with (
        Post(folder).held(),
        _product(folder, choose_ports, shop_port) as demo,
        open_shop(demo.shop_port, demo.wares()),
    ):
        if not no_history:
            _fill(demo)
        _say_where(console, demo, once)
        pace = rate or (_RATE_ONCE if once else _RATE)
        try:
            sys.exit(asyncio.run(_play(demo.product, demo.site_id, console, once, pace)))
        except asyncio.CancelledError:
            sys.exit(130)


class Demo(NamedTuple):
    """Everything running, with the owner and the site in it."""

    product: Product
    installation: Installation
    site_id: int
    key: ImportKey
    shop_port: int

    def wares(self) -> Wares:
        return Wares(
            SITE,
            snippet(self.product.edge_url, SITE, local=True),
            f"{self.product.api_url}/live?site={SITE}",
        )

    @property
    def ports(self) -> list[int]:
        """Those that a browser needs."""
        names = ("MILLRACE_API_PORT", "MILLRACE_REALTIME_PORT", "MILLRACE_EDGE_PORT")
        return [*(int(self.product.settings[name]) for name in names), self.shop_port]


@contextlib.contextmanager
def _product(folder: Path, free: bool, shop_port: int | None) -> Iterator[Demo]:
    manifest = read_manifest()
    installation = open_installation(folder, manifest, os.environ, free=free)
    taken = (*installation.ports.values(), *installation.stack.ports)
    port = _shop_port(shop_port, free, taken)
    stack = local_stack(folder, installation.stack, os.environ)
    # The made-up visitors have addresses of their own, in X-Forwarded-For.
    changes = {"MILLRACE_EDGE_TRUSTED_PROXIES": "127.0.0.1/32", **given_settings()}
    product = make_product(folder, installation, stack, changes=changes, manifest=manifest)
    origins = (f"http://127.0.0.1:{port}", f"http://localhost:{port}")
    try:
        with step("Starting servers and services"):
            product.start_servers()
            database, password = product.postgres_url, installation.owner_password
            site_id = asyncio.run(settle_in(database, password, origins))
            key = own_key(folder, database, SITE)
            product.start()
        yield Demo(product, installation, site_id, key, port)
    finally:
        product.close()


def _shop_port(wanted: int | None, free: bool, taken: Collection[int]) -> int:
    if wanted is None and free:
        return free_ports(1, taken)[0]
    port = wanted or SHOP_PORT
    check_free([Wanted(port, "the demo's shop", "--shop-port", is_given=wanted is not None)])
    return port


def _fill(demo: Demo) -> None:
    """The history, sent and stored."""
    product = demo.product
    with step(f"Filling the last {DAYS} days with history") as report:
        seed = Seed(product.edge_url, product.postgres_url, SITE, demo.key, EVENTS_A_DAY, report)
        asyncio.run(seed.run(datetime.now(UTC)))


async def _play(product: Product, site_id: int, console: Console, once: bool, rate: float) -> int:
    stop = asyncio.Event()
    _stop_by_signal(stop)
    with Screen(console) as screen:
        account = await Play(product, site_id, screen, stop, once, rate).run()
    console.print(account_table(account))
    console.print(_FROM_HERE)
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


def _say_where(console: Console, demo: Demo, once: bool) -> None:
    product, password = demo.product, demo.installation.owner_password
    link = asyncio.run(make_sign_in_link(product.postgres_url, product.api_url))
    console.print()
    console.print(f"Open this, once:  [bold]{link}[/]")
    console.print(f"  or sign in as   {OWNER}  {password}")
    console.print(f"The numbers:      {product.api_url}/sites/{SITE}")
    console.print(f"The live page:    {product.api_url}/live?site={SITE}")
    console.print(f"The demo's shop:  http://127.0.0.1:{demo.shop_port}/  (you are counted there)")
    console.print(f"Beacons go to:    {product.edge_url}/track")
    console.print("To open these from another machine, type there first:")
    console.print(f"  {ssh_line(demo.ports, os.environ)}")
    if not once:
        console.print("Ctrl-C ends it, with the account.")
    console.print()
