"""A database connection with a thread of its own, for the loops beside the store."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import psycopg
from psycopg import Connection

from writer.database.connection import ANSWER_WITHIN_S, Unavailable, connect, unavailable

T = TypeVar("T")


class Session:
    """Runs work on an autocommit connection, which it makes anew after any trouble."""

    def __init__(self, postgres_url: str, name: str, answer_s: float = ANSWER_WITHIN_S) -> None:
        self._url = postgres_url
        self._answer_s = answer_s
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._connection: Connection[Any] | None = None
        self.connections = 0
        """How many there were: what is remembered of the database goes with the last one."""

    async def run(self, work: Callable[[Connection[Any]], T]) -> T:
        """The result of ``work``, done in the session's thread. Raises Unavailable."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, work)

    def close(self) -> None:
        """Give thread and connection back."""
        self._thread.submit(self._drop)
        self._thread.shutdown()

    def _run(self, work: Callable[[Connection[Any]], T]) -> T:
        if self._connection is None:
            self._connection = connect(self._url, autocommit=True, answer_s=self._answer_s)
            self.connections += 1
        try:
            return work(self._connection)
        except psycopg.Error as error:
            self._drop()
            raise unavailable(error) from error
        except Unavailable:
            self._drop()
            raise

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
