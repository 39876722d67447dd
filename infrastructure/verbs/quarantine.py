"""`millrace quarantine`: what could not become an event, and what to do with it."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import UUID

import click
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey
from psycopg import Connection
from rich.table import Table

from infrastructure.core_database import core_database
from infrastructure.local.running import use_running
from infrastructure.plain_text import Storable, plain
from infrastructure.problem import Problem
from infrastructure.whole_table import plain_console, print_table
from shared import receipt
from shared.keys import read_private_keys
from shared.settings import ApiSettings, WriterSettings, load
from writer.apart import Apart, Careful
from writer.app import make_preparer
from writer.database.promises import Promises
from writer.quarantine.held import Group, Held, discard, find_held, read_groups, read_held
from writer.quarantine.keeping import Quarantine
from writer.quarantine.replay import Became, Event, Replay
from writer.store import Store

_reason = click.option("--reason", type=Storable(), help="Everything that is held for this reason.")
_COLUMNS = ("reason", "site", "held", "first received", "last set aside", "first id")
_NOTHING = "Nothing is held."
_ids = click.argument("ids", nargs=-1, type=click.IntRange(1))


@click.group()
def command() -> None:
    """Look at, replay or discard what was set aside."""


@command.command("list")
def list_() -> None:
    """What is held, by reason and site."""
    with _connected() as connection:
        rows = [_cells(group) for group in read_groups(connection)]
    if rows:
        print_table(_COLUMNS, rows, plain_console())
    else:
        click.echo(_NOTHING)


@command.command()
@click.argument("quarantine_id", type=click.IntRange(1), metavar="ID")
@click.option("--open", "is_open", is_flag=True, help="Decrypt the event with the writer's keys.")
def show(quarantine_id: int, is_open: bool) -> None:
    """Why one row was set aside. A visitor's address is never shown."""
    with _connected() as connection:
        held = read_held(connection, quarantine_id)
    if held is None:
        raise Problem(f"There is nothing of number {quarantine_id} in the quarantine.")
    table = Table.grid(padding=(0, 2))
    for name, value in {**_told(held), **(_opened(held) if is_open else {})}.items():
        table.add_row(name, plain(value))
    plain_console().print(table)


@command.command()
@_ids
@_reason
def replay(ids: tuple[int, ...], reason: str | None) -> None:
    """Try again what is held, after a fix: each row once, whatever dies meanwhile.

    Says how many events became what, and exits 1 when something stays held.
    """
    done: Counter[Event] = Counter()
    try:
        with _connected() as connection, _replaying(connection) as replaying:
            for quarantine_id in _wanted(connection, ids, reason):
                done += replaying.replay(quarantine_id).events
    finally:
        # Also where it was broken off: what is done is done.
        _tell(done)
    if not done:
        click.echo(_NOTHING)
    if any(event.became in (Became.HELD, Became.HELD_AGAIN) for event in done):
        raise click.exceptions.Exit(1)


@command.command("discard")
@_ids
@_reason
@click.confirmation_option(prompt="What is discarded is gone for good. Go on?")
def discard_(ids: tuple[int, ...], reason: str | None) -> None:
    """Let go of what is held, for good; only counts remain."""
    with _connected() as connection:
        count = discard(connection, _wanted(connection, ids, reason))
    click.echo(f"{count} discarded")


def _tell(done: Counter[Event]) -> None:
    order = list(Became)
    for (became, why), n in sorted(done.items(), key=lambda each: order.index(each[0].became)):
        click.echo(f"{n} {became} ({why})" if why else f"{n} {became}")


def _wanted(connection: Connection[Any], ids: tuple[int, ...], reason: str | None) -> list[int]:
    if bool(ids) == (reason is not None):
        raise Problem("Name the rows by their numbers, or by --reason.")
    return list(ids) or find_held(connection, reason)


@contextmanager
def _connected() -> Iterator[Connection[Any]]:
    use_running()
    with core_database(load(ApiSettings, os.environ).postgres_url) as connection:
        yield connection


@contextmanager
def _replaying(connection: Connection[Any]) -> Iterator[Replay]:
    """With the writer's own settings: only it has the keys."""
    settings = load(WriterSettings, os.environ)
    keys = _private_keys(settings)
    preparer = Careful(make_preparer(settings), Apart(partial(make_preparer, settings)))
    store = Store(
        settings.postgres_url, Quarantine(keys), promises=Promises(settings.writer_strict)
    )
    try:
        yield Replay(connection, keys, preparer, store)
    finally:
        preparer.close()
        store.close()


def _cells(group: Group) -> tuple[str, ...]:
    first, last = _time(group.first_received), _time(group.last_set_aside)
    return group.reason, group.site, str(group.events), first, last, str(group.first_id)


def _private_keys(settings: WriterSettings) -> dict[str, PrivateKey]:
    try:
        return read_private_keys(settings.seal_keys)
    except ValueError as error:
        raise Problem("MILLRACE_SEAL_KEYS holds no sealing keys: name the writer's.") from error


def _told(held: Held) -> dict[str, object]:
    told: dict[str, object] = {
        "state": held.state,
        "reason": held.reason,
        "detail": held.detail,
        "edge": held.edge,
        "site": held.site,
        "received": _time(held.received_at),
        "set aside": _time(held.set_aside_at),
        "closed": _time(held.closed_at),
        "sealed": f"{len(held.sealed)} bytes",
    }
    if held.nth is None:
        told["what"] = "a whole entry"
    if held.boot is not None and held.seq is not None:
        told["batch"] = f"{held.seq} of boot {held.boot:012x}"
        if held.nth is not None:
            told["receipt"] = UUID(int=receipt.counted(held.boot, held.seq, held.nth))
    return {name: value for name, value in told.items() if value != ""}


def _opened(held: Held) -> dict[str, object]:
    if held.nth is None or not held.sealed:
        raise Problem("Only an event that is held can be opened, not a whole entry.")
    keys = _private_keys(load(WriterSettings, os.environ))
    try:
        envelope = Quarantine(keys).open(held.sealed)
    except (KeyError, CryptoError) as error:
        raise Problem("It is sealed to a key that MILLRACE_SEAL_KEYS does not hold.") from error
    return {
        "with a key": "yes" if envelope.key is not None else "no",
        "user agent": envelope.headers.user_agent,
        "place in body": ", ".join(map(str, envelope.taken or ())),
        "body": envelope.body.decode("utf-8", "replace"),
    }


def _time(at: object) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M:%S}Z"
