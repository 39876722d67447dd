"""The functions behind the API, called from a command: one connection, one transaction."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click
import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from api.database import open_transaction
from infrastructure.local.folders import state_folder
from infrastructure.local.running import PURPOSES, read_running, use_running
from infrastructure.problem import Problem
from shared.program import IN_CHECKOUT, PROGRAM
from shared.settings import ApiSettings, load

T = TypeVar("T")

_NOTHING_RUNS = f"Nothing runs here: start it with `{PROGRAM} up`."
_NOT_THE_CORE = "MILLRACE_POSTGRES_URL is not set: run this on the core, with the core's settings."
_THE_DEMOS = (
    "This goes into the demo's own data, which `up` never shows: "
    f"for your own sites end the demo and start `{PROGRAM} up`."
)


def in_transaction(work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    """What ``work`` returns, committed. Raises Problem where the database cannot be used."""
    settings = core_settings()
    try:
        return asyncio.run(_run(settings.postgres_url, work))
    except (DBAPIError, psycopg.Error) as error:
        raise Problem(_sentence(error)) from error


def core_settings() -> ApiSettings:
    """The API's settings, of what runs here or of the environment. Raises Problem where there are
    none."""
    use_running()
    if not any(f"MILLRACE_POSTGRES_URL{ending}" in os.environ for ending in ("", "_FILE")):
        raise Problem(_NOTHING_RUNS if IN_CHECKOUT else _NOT_THE_CORE)
    return load(ApiSettings, os.environ)


def say_whose_data() -> None:
    """Before something is added: a word where it goes to the demo, which is not kept company."""
    given = "MILLRACE_POSTGRES_URL" in os.environ
    running = [purpose for purpose in PURPOSES if read_running(state_folder(purpose))]
    if not given and running == ["demo"]:
        click.echo(_THE_DEMOS, err=True)


async def _run(postgres_url: str, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    async with open_transaction(postgres_url) as db:
        return await work(db)


def _sentence(error: Exception) -> str:
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, psycopg.errors.UndefinedTable | psycopg.errors.UndefinedFunction):
        return f"The database lacks Millrace's tables: run `{PROGRAM} migrate` first."
    if isinstance(cause, psycopg.OperationalError):
        return "The database of MILLRACE_POSTGRES_URL does not answer: start it, or mend the URL."
    return f"The database refused: {cause}"
