"""One connection to the database, made when it is needed and made anew after trouble."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, LiteralString

import psycopg

Record = tuple[Any, ...]
Parameters = Mapping[str, object]

_CHUNK = 2_000
_SLOWEST_S = 30


class DatabaseDown(Exception):
    """The database did not answer; the next call tries again."""


class Database:
    """Not for concurrent use beyond one statement after another: callers take turns."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.AsyncConnection[Record] | None = None
        self._turn = asyncio.Lock()

    async def fetch(self, statement: LiteralString, parameters: Parameters) -> list[Record]:
        """All rows of one statement. Raises DatabaseDown."""
        async with self._connected() as connection:
            cursor = await connection.execute(statement, parameters)
            return await cursor.fetchall()

    async def stream(
        self, statement: LiteralString, parameters: Parameters
    ) -> AsyncIterator[list[Record]]:
        """The rows of one statement in chunks, for answers that memory should not hold whole."""
        async with self._connected() as connection, connection.transaction():
            cursor = connection.cursor("rows")
            async with cursor:
                await cursor.execute(statement, parameters)
                while chunk := await cursor.fetchmany(_CHUNK):
                    yield chunk

    async def close(self) -> None:
        """Drop the connection, if there is one."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await connection.close()

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[psycopg.AsyncConnection[Record]]:
        async with self._turn:
            try:
                async with asyncio.timeout(_SLOWEST_S):
                    if self._connection is None:
                        self._connection = await self._connect()
                    yield self._connection
            except (psycopg.OperationalError, psycopg.InterfaceError, TimeoutError) as error:
                await self.close()
                raise DatabaseDown from error
            except BaseException:
                # What was cancelled half-way would answer the next caller.
                await self.close()
                raise

    async def _connect(self) -> psycopg.AsyncConnection[Record]:
        return await psycopg.AsyncConnection.connect(
            self._url,
            autocommit=True,
            connect_timeout=5,
            tcp_user_timeout=5_000,
            application_name="millrace realtime",
        )
