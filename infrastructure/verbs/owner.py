"""`millrace owner`: who signs in to the dashboard."""

import secrets
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from api.owners import (
    MIN_PASSWORD,
    check_email,
    check_password,
    plain_email,
    put_owner,
    reset_password,
)
from api.sign_in_links import put_sign_in_link, sign_in_address
from infrastructure.administration import core_settings, in_transaction, say_whose_data
from infrastructure.problem import Problem
from infrastructure.spoken import example
from shared.errors import Refusal

_EMAIL = click.argument("email", required=False)
_FROM_FILE = click.option(
    "--password-file",
    type=click.File(),
    help="Read the password from this file (- is standard input) instead of asking.",
)
_LINK = click.option(
    "--link", is_flag=True, help="Print a link that signs in once, in place of a password."
)


@click.group()
def command() -> None:
    """Add owners, reset their passwords, make links that sign in."""


@command.command(
    epilog=example("owner add you@example.com", "owner add you@example.com --link"),
)
@_EMAIL
@_FROM_FILE
@_LINK
def add(email: str | None, password_file: Any, link: bool) -> None:
    """Let somebody sign in. Without a terminal and a file, a password is made and printed."""
    say_whose_data()
    _put(put_owner, check_email(_ask_email(email)), password_file, link, "can sign in now")


@command.command(epilog=example("owner reset you@example.com"))
@_EMAIL
@_FROM_FILE
@_LINK
def reset(email: str | None, password_file: Any, link: bool) -> None:
    """Set a new password; every sign-in of this owner ends."""
    _put(reset_password, _ask_email(email), password_file, link, "has a new password")


@command.command(epilog=example("owner link you@example.com"))
@_EMAIL
def link(email: str | None) -> None:
    """Print a link that signs an owner in, once and soon; the password stays."""
    _say_link(_ask_email(email))


def _put(
    put: Callable[[AsyncConnection, str, str], Awaitable[object]],
    email: str,
    password_file: Any,
    link: bool,
    done: str,
) -> None:
    if link and password_file is not None:
        raise Problem("--link is in place of a password: leave --password-file out.")
    password, made = (_made(), True) if link else _read_password(password_file)

    async def work(db: AsyncConnection) -> object:
        return await put(db, email, password)

    in_transaction(work)
    if link:
        _say_link(email)
        return
    click.echo(f"{plain_email(email)} {done}: {core_settings().api_url}")
    if made:
        click.echo(f"Password: {password}")


def _say_link(email: str) -> None:
    settings = core_settings()
    minutes = settings.api_link_minutes

    async def work(db: AsyncConnection) -> str:
        return await put_sign_in_link(db, email, datetime.now(UTC), timedelta(minutes=minutes))

    token = in_transaction(work)
    click.echo(f"Signs {plain_email(email)} in, once, within {minutes} minutes:", err=True)
    click.echo(sign_in_address(settings.api_url, token))


def _ask_email(email: str | None) -> str:
    if email is not None:
        return email
    if sys.stdin.isatty():
        return str(click.prompt("E-mail address", err=True))
    raise Problem("Name the owner's e-mail address, such as you@example.com.")


def _read_password(password_file: Any) -> tuple[str, bool]:
    """(password, whether it was made here)."""
    if password_file is not None:
        return password_file.readline().rstrip("\r\n"), False
    if sys.stdin.isatty():
        prompt = f"Password ({MIN_PASSWORD} characters or more)"
        password = click.prompt(
            prompt,
            value_proc=_long_enough,
            hide_input=True,
            confirmation_prompt=True,
            err=True,
        )
        return password, False
    return _made(), True


def _long_enough(password: str) -> str:
    """Said before it is typed a second time, and asked for again."""
    try:
        check_password(password)
    except Refusal as refusal:
        raise click.UsageError(refusal.message) from refusal
    return password


def _made() -> str:
    return secrets.token_urlsafe(15)
