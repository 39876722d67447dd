"""Connections to TimescaleDB: a pool for the service, a single one for a command."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import psycopg
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

CONNECT_TIMEOUT_S = 5
POOL_TIMEOUT_S = 5

_DIALECT = "postgresql+psycopg://"


@asynccontextmanager
async def open_pool(postgres_url: str, connections: int) -> AsyncIterator[AsyncEngine]:
    """At most ``connections``; a dead one is noticed before it is handed out."""
    pool = create_async_engine(
        _DIALECT,
        async_creator=_connector(postgres_url),
        pool_size=connections,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_S,
        pool_pre_ping=True,
    )
    try:
        yield pool
    finally:
        await pool.dispose()


@asynccontextmanager
async def open_transaction(postgres_url: str) -> AsyncIterator[AsyncConnection]:
    """One connection and one transaction, for a command that asks once and ends."""
    engine = create_async_engine(
        _DIALECT, async_creator=_connector(postgres_url), poolclass=NullPool
    )
    try:
        async with engine.begin() as db:
            yield db
    finally:
        await engine.dispose()


def _connector(
    postgres_url: str,
) -> Callable[[], Awaitable[psycopg.AsyncConnection[tuple[object, ...]]]]:
    # The URL goes to libpq as it is: SQLAlchemy reads some of its forms differently.
    async def connect() -> psycopg.AsyncConnection[tuple[object, ...]]:
        return await psycopg.AsyncConnection.connect(
            postgres_url, connect_timeout=CONNECT_TIMEOUT_S, application_name="millrace api"
        )

    return connect
