"""`millrace keys`: the keys of an installation, not of its API."""

import os

import click

from infrastructure.local.running import use_running
from infrastructure.problem import Problem
from shared.keys import new_seal_key, new_signing_key, public_seal_key, public_signing_key


@click.group()
def command() -> None:
    """What the core keeps secret, and what edges must know of it."""


@command.command()
def new() -> None:
    """Print fresh keys: the secret two for the core's settings, the public two for the edges'."""
    _print(new_signing_key(), new_seal_key(), secrets=True)


@command.command()
def public() -> None:
    """Print what edges must know, made from the core's settings."""
    use_running()
    signing, sealing = (os.environ.get(f"MILLRACE_{name}") for name in ("SIGNING_KEY", "SEAL_KEYS"))
    if not signing or not sealing:
        raise Problem(
            "MILLRACE_SIGNING_KEY and MILLRACE_SEAL_KEYS are not set here: "
            "run this on the core, or make new keys with `keys new`."
        )
    _print(signing, sealing.split()[0], secrets=False)


def _print(signing: str, sealing: str, *, secrets: bool) -> None:
    if secrets:
        click.echo(f"MILLRACE_SIGNING_KEY={signing}\nMILLRACE_SEAL_KEYS={sealing}")
    click.echo(f"MILLRACE_CORE_VERIFY_KEY={public_signing_key(signing)}")
    click.echo(f"MILLRACE_SEAL_PUBLIC_KEY={public_seal_key(sealing)}")
