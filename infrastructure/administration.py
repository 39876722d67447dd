"""The functions behind the API, called from a command: one connection, one transaction."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TypeVar

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from api.database import open_transaction
from infrastructure.local.running import use_running
from infrastructure.problem import Problem
from shared.settings import ApiSettings, load

T = TypeVar("T")


def in_transaction(work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    """What ``work`` returns, committed. Raises Problem where the database cannot be used."""
    use_running()
    settings = load(ApiSettings, os.environ)
    try:
        return asyncio.run(_run(settings.postgres_url, work))
    except (DBAPIError, psycopg.Error) as error:
        raise Problem(_sentence(error)) from error


async def _run(postgres_url: str, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    async with open_transaction(postgres_url) as db:
        return await work(db)


def _sentence(error: Exception) -> str:
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, psycopg.errors.UndefinedTable | psycopg.errors.UndefinedFunction):
        return "The database lacks Millrace's tables: run `migrate` first."
    if isinstance(cause, psycopg.OperationalError):
        return "The database of MILLRACE_POSTGRES_URL does not answer: start it, or mend the URL."
    return f"The database refused: {cause}"
