"""DuckDB inside the API: one instance a process, each question in a thread of its own."""

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import duckdb
from sqlalchemy import Select
from sqlalchemy.dialects import postgresql

T = TypeVar("T")
Rows = list[tuple[Any, ...]]

_DIALECT = postgresql.dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
_INTERRUPT_EVERY_S = 0.05


class TookTooLong(Exception):
    """The time limit has passed."""


class Engine:
    """Bounded in memory; what is over goes to a temporary folder. ``threads``: 0 for as many as
    cores."""

    def __init__(self, memory_mb: int, threads: int) -> None:
        self._spill = tempfile.TemporaryDirectory(prefix="millrace-archive-")
        config: dict[str, Any] = {
            "memory_limit": f"{memory_mb}MB",
            "temp_directory": str(Path(self._spill.name)),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        if threads:
            config["threads"] = threads
        self._duck = duckdb.connect(":memory:", config=config)
        # Footers are read once; a version of a file never changes.
        self._duck.execute("SET parquet_metadata_cache = true")

    def close(self) -> None:
        """Let go of the temporary folder."""
        self._duck.close()
        self._spill.cleanup()

    async def run(self, work: Callable[["Session"], T], within_s: float) -> T:
        """``work`` in a thread. Raises TookTooLong; ended at once when the caller goes away."""
        session = Session(self._duck.cursor())
        thread = asyncio.ensure_future(asyncio.to_thread(work, session))
        try:
            await asyncio.wait((thread,), timeout=max(within_s, 0))
            await _end(thread, session)
            return thread.result()
        except duckdb.InterruptException:
            raise TookTooLong from None
        except asyncio.CancelledError:
            await _end(thread, session)
            raise
        finally:
            session.close()


async def _end(thread: asyncio.Future[T], session: "Session") -> None:
    # DuckDB forgets an interrupt that comes just before a statement begins.
    while not thread.done():
        session.interrupt()
        await asyncio.wait((thread,), timeout=_INTERRUPT_EVERY_S)
    await asyncio.gather(thread, return_exceptions=True)


class Session:
    """A connection of one question's, with temporary tables of its own."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor
        self._ended = False

    def interrupt(self) -> None:
        """End what runs, and whatever is asked after it."""
        self._ended = True
        self._cursor.interrupt()

    def close(self) -> None:
        """Let go of its tables."""
        self._cursor.close()

    def rows(self, statement: Select[Any]) -> Rows:
        """The statement that PostgreSQL would be asked, in DuckDB. Raises duckdb.Error."""
        return self._execute(*compiled(statement))

    def keep(self, name: str, statement: Select[Any]) -> None:
        """Its rows as a temporary table."""
        text, values = compiled(statement)
        self._execute(f'CREATE OR REPLACE TEMP TABLE "{name}" AS {text}', values)

    def _execute(self, text: str, values: list[Any]) -> Rows:
        if self._ended:
            raise duckdb.InterruptException("Interrupted")
        found: Rows = self._cursor.execute(text, values).fetchall()
        return found


def compiled(statement: Select[Any]) -> tuple[str, list[Any]]:
    """Text with ``$1…``, and what these stand for."""
    made = statement.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
    names = made.positiontup or []
    return str(made), [made.params[name] for name in names]
