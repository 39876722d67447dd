"""`millrace site`: the sites that are counted."""

import os
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click
import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from api.arrivals import Arrivals, read_arrivals
from api.site_activity import Activity, read_activity
from api.sites import Site, put_settings, put_site, read_site, read_sites
from api.snippet import snippet
from infrastructure.administration import core_settings, in_transaction, say_whose_data
from infrastructure.first_event import wait_for_first_event, what_came_instead
from infrastructure.plain_text import plain
from infrastructure.progress import console, step
from infrastructure.setting_words import read_words
from infrastructure.spoken import AS_JSON, example, print_json
from infrastructure.whole_table import plain_console, print_table
from infrastructure.zone_here import machine_zone
from shared.program import PROGRAM
from shared.sites import TIME_ZONE

_LOOK_EVERY_S = 1.0
_WAIT = click.option(
    "--wait/--no-wait",
    default=None,
    help="Wait for the first event; on a terminal it does unless told not to.",
)


@click.group()
def command() -> None:
    """Add, show, change and list sites."""


@command.command(epilog=example("site add example.com --time-zone Europe/Berlin"))
@click.argument("domain")
@click.option("--time-zone", help="Whose days are counted; else this machine's.")
@_WAIT
@AS_JSON
def add(domain: str, time_zone: str | None, wait: bool | None, as_json: bool) -> None:
    """Count DOMAIN from now on: prints the snippet, and waits for the first event."""
    say_whose_data()
    zone = time_zone or _propose_zone()

    async def work(db: AsyncConnection) -> Site:
        return await put_site(db, domain, {TIME_ZONE: zone}, datetime.now(UTC))

    site = in_transaction(work)
    if as_json:
        print_json({"key": site.key, TIME_ZONE: zone, "snippet": _snippet(site)})
        return
    whose = "" if time_zone else " (this machine's time zone)"
    click.echo(f"Added {site.key}, its days in {zone}{whose}.")
    _say_snippet(site)
    _wait_if_wanted(site, wait)


@command.command(epilog=example("site show example.com --wait"))
@click.argument("key")
@_WAIT
@AS_JSON
def show(key: str, wait: bool | None, as_json: bool) -> None:
    """The settings of the site KEY, its snippet, and what has arrived."""

    async def work(db: AsyncConnection) -> tuple[Site, Arrivals]:
        found = await read_site(db, key, datetime.now(UTC))
        return found, await read_arrivals(db, found, datetime.now(UTC))

    site, arrivals = in_transaction(work)
    if as_json:
        print_json({"site": site, "snippet": _snippet(site), "arrivals": arrivals})
        return
    _say_settings(site)
    _say_snippet(site)
    _say_arrivals(site.key, arrivals)
    if wait and arrivals.first_event_at is None:
        _wait(site)


@command.command("list", epilog=example("site list", "site list --json"))
@AS_JSON
def list_(as_json: bool) -> None:
    """Every site, with today's events and the last one."""

    async def work(db: AsyncConnection) -> tuple[list[Site], Mapping[str, Activity]]:
        now = datetime.now(UTC)
        sites = await read_sites(db, now)
        return sites, await read_activity(db, sites, now)

    sites, activity = in_transaction(work)
    if as_json:
        print_json([_described(site, activity[site.key]) for site in sites])
    elif not sites:
        click.echo(f"There is no site yet: `{PROGRAM} site add example.com` adds one.")
    else:
        names = ("site", "time zone", "added", "events today", "last event")
        print_table(names, [_cells(site, activity[site.key]) for site in sites], plain_console())


@command.command(
    "set",
    epilog=example(
        "site set example.com origins=https://shop.example,https://example.net keep_days=400",
        "site set example.com time_zone=Europe/Paris",
    ),
)
@click.argument("key")
@click.argument("settings", nargs=-1, required=True, metavar="NAME=VALUE...")
def set_(key: str, settings: tuple[str, ...]) -> None:
    """Change settings of the site KEY; lists are parted by commas, `null` is none.

    What a change means for events that are under way is decided by when they were received; another
    time zone holds from a later midnight on.
    """
    changes = read_words(settings)

    async def work(db: AsyncConnection) -> Site:
        now = datetime.now(UTC)
        return await put_settings(db, await read_site(db, key, now), changes, now)

    _say_settings(in_transaction(work))


def _propose_zone() -> str:
    zone = machine_zone(os.environ.get("TZ"))
    if sys.stdin.isatty():
        return str(click.prompt("Whose days are counted? Time zone", default=zone, err=True))
    return zone


def _snippet(site: Site) -> str:
    return snippet(core_settings().edge_url, site.key)


def _say_snippet(site: Site) -> None:
    click.echo(f"\nPaste this into every page's head:\n\n  {_snippet(site)}\n")


def _say_settings(site: Site) -> None:
    click.echo(f"{site.key}, added {site.created_at:%Y-%m-%d}")
    for name, value in msgspec.to_builtins(site.settings).items():
        click.echo(f"  {name} = {_shown(value)}")
    for change in site.upcoming:
        click.echo(f"  {change.name} = {_shown(change.value)} from {_utc(change.valid_from)} on")


def _shown(value: Any) -> str:
    return plain(value) if isinstance(value, str) else plain(msgspec.json.encode(value).decode())


def _say_arrivals(site: str, arrivals: Arrivals) -> None:
    first = arrivals.first_event_at
    click.echo(f"First event: {_utc(first) if first else 'none yet'}")
    for sentence in what_came_instead(site, arrivals):
        click.echo(plain(f"  {sentence}"))


def _wait_if_wanted(site: Site, wait: bool | None) -> None:
    if wait or (wait is None and sys.stdin.isatty() and sys.stdout.isatty()):
        _wait(site)


def _wait(site: Site) -> None:
    """Until the first event is there, or Ctrl-C."""

    async def work(db: AsyncConnection) -> Arrivals:
        return await read_arrivals(db, site, datetime.now(UTC))

    dashboard = f"{core_settings().api_url.rstrip('/')}/sites/{site.key}"
    before = in_transaction(work)
    try:
        with step("Waiting for the first event (Ctrl-C stops waiting)"):
            arrivals = wait_for_first_event(
                site.key,
                before,
                lambda: in_transaction(work),
                lambda sentence: console.print(plain(sentence), markup=False),
                lambda: time.sleep(_LOOK_EVERY_S),
            )
    except KeyboardInterrupt:
        click.echo(
            f"\nNone so far. `{PROGRAM} site show {site.key}` says what has arrived.", err=True
        )
        return
    assert arrivals.first_event_at is not None
    click.echo(f"The first event is here, of {_utc(arrivals.first_event_at)}: {dashboard}")


def _described(site: Site, activity: Activity) -> dict[str, Any]:
    return {
        "key": site.key,
        TIME_ZONE: site.settings.time_zone,
        "created_at": site.created_at,
        **msgspec.structs.asdict(activity),
    }


def _cells(site: Site, activity: Activity) -> tuple[str, ...]:
    last = activity.last_event_at
    return (
        site.key,
        site.settings.time_zone,
        f"{site.created_at:%Y-%m-%d}",
        f"{activity.events_today:,}",
        _utc(last) if last else "none yet",
    )


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
