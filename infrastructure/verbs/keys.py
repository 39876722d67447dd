"""`millrace keys`: the keys of an installation, not of its API."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from infrastructure.key_backup import is_sealed, open_backup, seal_backup
from infrastructure.local.running import use_running
from infrastructure.problem import Problem
from infrastructure.secret_file import locked_secret, put_new_secret, put_secret
from shared.keys import (
    new_seal_key,
    new_signing_key,
    public_seal_key,
    public_signing_key,
    read_private_keys,
    read_signing_key,
)
from shared.settings import read_setting, setting_file, variable

COST_OF_LOSS = (
    "Keep a copy of the sealing keys elsewhere (`keys backup`): without them nobody can ever open "
    "what still waits in a spool, a stream or the quarantine."
)
_MOST_BYTES = 1 << 20
_PASSPHRASE_FILE = click.option(
    "--passphrase-file",
    type=click.File("rb"),
    help="Read the passphrase from this file (- is standard input) instead of asking.",
)


@click.group()
def command() -> None:
    """What the core keeps secret, and what edges must know of it."""


@command.command()
def new() -> None:
    """Print fresh keys: the secret two for the core's settings, the public two for the edges'."""
    signing, sealing = new_signing_key(), new_seal_key()
    click.echo(_secrets(signing, sealing), nl=False)
    click.echo(_publics(signing, sealing), nl=False)
    click.echo(COST_OF_LOSS, err=True)


@command.command()
def public() -> None:
    """Print what edges must know, made from the core's settings."""
    click.echo(_publics(*_own_keys()), nl=False)


@command.command("list")
def list_() -> None:
    """The sealing keys' ids: the first is sealed to, the others still open what was."""
    _, sealing = _own_keys()
    for place, key in enumerate(sealing.split()):
        click.echo(f"{key.partition(':')[0]}  {'opens' if place else 'seals and opens'}")


@command.command()
def rotate() -> None:
    """Seal new batches to a fresh key; batches sealed to the old ones still open.

    The writer notices its changed file, and tells the edges in the next snapshot. With writers on
    several hosts, copy the file to the others at once.

    The signing key stays: every edge pins its public half. To change it, set a new pair of `keys
    new` on the core and on the edges; an edge keeps its last snapshot until it has the new one.
    """
    use_running()
    file = setting_file("seal_keys", os.environ)
    if file is None:
        _own_keys()
        raise Problem(
            "The sealing keys stand in MILLRACE_SEAL_KEYS itself, where they cannot be changed "
            "from here: put them into a file, name it in MILLRACE_SEAL_KEYS_FILE instead, restart "
            "the writer and rotate again."
        )
    fresh = new_seal_key()
    with _said(file), locked_secret(file):
        _, sealing = _own_keys()
        put_secret(file, "\n".join([fresh, *sealing.split()]) + "\n")
    click.echo(f"New batches are sealed to {fresh.partition(':')[0]} as soon as edges know of it.")
    click.echo("A backup made before this does not hold the new key: make another one now.")


@command.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--plain", is_flag=True, help="Without a passphrase: whoever has it reads all.")
@_PASSPHRASE_FILE
def backup(file: Path, plain: bool, passphrase_file: Any) -> None:
    """Write all secret keys to FILE (- is standard output), sealed with a passphrase."""
    text = _secrets(*_own_keys())
    if plain:
        click.echo(
            "This copy is not encrypted: whoever reads it can read all that edges capture.",
            err=True,
        )
    else:
        text = seal_backup(text, _passphrase(passphrase_file, confirm=True))
    if str(file) == "-":
        click.echo(text, nl=False)
    else:
        with _said(file):
            put_new_secret(file, text)
        click.echo(f"Written to {file}. {COST_OF_LOSS}", err=True)


@command.command()
@click.argument("file", type=click.File("rb"))
@_PASSPHRASE_FILE
def restore(file: Any, passphrase_file: Any) -> None:
    """Print the settings that a backup in FILE holds."""
    text = _text(file, "no backup of keys")
    if is_sealed(text):
        text = open_backup(text, _passphrase(passphrase_file, confirm=False))
    if not all(f"{variable(name)}=" in text for name in ("signing_key", "seal_keys")):
        raise Problem(f"{_name(file)} is no backup of keys: name a file that `keys backup` wrote.")
    click.echo(text, nl=False)


def _own_keys() -> tuple[str, str]:
    """The signing key, and the sealing keys parted by white space. Raises Problem."""
    use_running()
    signing, sealing = map(_read, ("signing_key", "seal_keys"))
    if not signing or not sealing:
        raise Problem(
            "MILLRACE_SIGNING_KEY and MILLRACE_SEAL_KEYS are not set here: "
            "run this on the core, or make new keys with `keys new`."
        )
    _check(signing, sealing)
    return signing, sealing


def _check(signing: str, sealing: str) -> None:
    readers: dict[str, tuple[Callable[[str], object], str]] = {
        "signing_key": (read_signing_key, signing),
        "seal_keys": (read_private_keys, sealing),
    }
    for name, (read, text) in readers.items():
        try:
            read(text)
        except ValueError as error:
            raise Problem(
                f"What {variable(name)} holds is no such key: bring it back from a backup "
                "(`keys restore`)."
            ) from error


def _read(name: str) -> str | None:
    with _said(setting_file(name, os.environ)):
        return read_setting(name, os.environ)


@contextmanager
def _said(file: Path | None) -> Iterator[None]:
    """What a file system refuses, as a Problem."""
    try:
        yield
    except OSError as error:
        raise Problem(f"{file} cannot be used: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise Problem(f"{file} holds no text, so no keys.") from error


def _text(file: Any, otherwise: str) -> str:
    """What a small file holds. Raises Problem where that is no text."""
    try:
        raw: bytes = file.read(_MOST_BYTES + 1)
        if len(raw) > _MOST_BYTES:
            raise Problem(f"{_name(file)} is {otherwise}: it is too long for one.")
        return raw.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise Problem(f"{_name(file)} is {otherwise}: it holds no UTF-8 text.") from error
    except OSError as error:
        raise Problem(f"{_name(file)} cannot be read: {error.strerror}.") from error


def _name(file: Any) -> str:
    return str(getattr(file, "name", "the file"))


def _secrets(signing: str, sealing: str) -> str:
    keys = " ".join(sealing.split())
    return f"{variable('signing_key')}={signing}\n{variable('seal_keys')}={keys}\n"


def _publics(signing: str, sealing: str) -> str:
    newest, *_ = sealing.split()
    verify, seal = public_signing_key(signing), public_seal_key(newest)
    return f"MILLRACE_CORE_VERIFY_KEY={verify}\nMILLRACE_SEAL_PUBLIC_KEY={seal}\n"


def _passphrase(file: Any, *, confirm: bool) -> str:
    if file is not None:
        given = _text(file, "no passphrase").strip()
    elif sys.stdin.isatty():
        given = click.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True)
    else:
        raise Problem("Without a terminal the passphrase comes from --passphrase-file.")
    if not given:
        raise Problem("The passphrase is empty.")
    return str(given)
