"""`millrace owner`: who signs in to the dashboard."""

import secrets
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from api.owners import plain_email, put_owner, reset_password
from infrastructure.administration import in_transaction

_FROM_FILE = click.option(
    "--password-file",
    type=click.File(),
    help="Read the password from this file (- is standard input) instead of asking.",
)


@click.group()
def command() -> None:
    """Add owners, reset their passwords."""


@command.command()
@click.argument("email")
@_FROM_FILE
def add(email: str, password_file: Any) -> None:
    """Let somebody sign in. Without a terminal and a file, a password is made and printed."""
    _put(put_owner, email, password_file, "can sign in now")


@command.command()
@click.argument("email")
@_FROM_FILE
def reset(email: str, password_file: Any) -> None:
    """Set a new password; every sign-in of this owner ends."""
    _put(reset_password, email, password_file, "has a new password")


def _put(
    put: Callable[[AsyncConnection, str, str], Awaitable[object]],
    email: str,
    password_file: Any,
    done: str,
) -> None:
    password, made = _read_password(password_file)

    async def work(db: AsyncConnection) -> object:
        return await put(db, email, password)

    in_transaction(work)
    click.echo(f"{plain_email(email)} {done}.")
    if made:
        click.echo(f"Password: {password}")


def _read_password(password_file: Any) -> tuple[str, bool]:
    """(password, whether it was made here)."""
    if password_file is not None:
        return password_file.readline().rstrip("\r\n"), False
    if sys.stdin.isatty():
        return click.prompt("Password", hide_input=True, confirmation_prompt=True), False
    return secrets.token_urlsafe(15), True
