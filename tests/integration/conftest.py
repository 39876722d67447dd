"""What many tests of the writer begin with; a test that needs another one defines its own."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import anyio
import pytest
from click.testing import CliRunner, Result
from redis.asyncio import Redis

from infrastructure.cli import cli
from shared.redis_connection import connect
from tests.writer_world import Pipe, put_edge, put_site
from writer.database.session import Session
from writer.ledger.keeper import Ledger

Verb = Callable[..., Result]


@pytest.fixture
async def redis(primary: str) -> AsyncIterator[Redis]:
    """A client of the emptied primary."""
    client = connect(primary, 60, connect_timeout_s=60)
    yield client
    await client.aclose()


@pytest.fixture
def core_verb(database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Verb:
    """Calls a verb on the test's database, whatever else runs on this machine."""
    settings = {"STATE": str(tmp_path), "POSTGRES_URL": database, "GEO_DIR": str(tmp_path)}
    for name, value in settings.items():
        monkeypatch.setenv(f"MILLRACE_{name}", value)
    # No Redis that happens to run here is asked, unless the test has one.
    monkeypatch.setenv("MILLRACE_PRIMARY_URL", "redis://127.0.0.1:1")
    monkeypatch.setenv("COLUMNS", "200")

    def call(*words: str, given: str | None = None) -> Result:
        return CliRunner().invoke(cli, list(words), input=given, prog_name="millrace")

    return call


@pytest.fixture
def pipe(database: str) -> Iterator[Pipe]:
    """Preparer and store of a database with one site."""
    put_site(database)
    made = Pipe(database)
    yield made
    made.close()


@pytest.fixture
async def ledger(database: str, redis: Redis) -> AsyncIterator[Ledger]:
    """Of one edge, ``e1``."""
    session = Session(database, "test")
    put_edge(database)
    yield Ledger(session, redis)
    await anyio.to_thread.run_sync(session.close)
