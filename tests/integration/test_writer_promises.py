"""No promise on paper: a PostgreSQL that may lose what it commits, on a real server."""

from collections.abc import Iterator
from typing import Any

import anyio
import psycopg
import pytest
from redis.asyncio import Redis

from infrastructure.local.postgres_server import PostgresServer
from shared.redis_connection import connect
from tests.writer_streams import until_emptied
from tests.writer_world import FakeEdge, envelope, put_edge, put_site, rows, writer_settings
from writer.app import Writer, running_writer
from writer.database import connection as db
from writer.database.promises import FSYNC_OFF, FULL_PAGE_WRITES_OFF, Promises
from writer.migrate import upgrade
from writer.stream import stream_key

pytestmark = pytest.mark.anyio
STREAM = stream_key("e1")
LOADED_S = 90


@pytest.fixture
def url(postgres_server: PostgresServer) -> str:
    upgrade(postgres_server.url)
    put_site(postgres_server.url)
    put_edge(postgres_server.url)
    return postgres_server.url


@pytest.fixture
def looking(database: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            f"alter database {connection.info.dbname} set synchronous_commit = off".encode()
        )
    connected = db.connect(database, autocommit=True)
    yield connected
    connected.close()


def set_server(url: str, setting: str, value: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"alter system set {setting} = {value}".encode())
        connection.execute("select pg_reload_conf()")


async def send(redis: Redis, edge: FakeEdge) -> None:
    fields: Any = dict(edge.entry([envelope()]).fields)
    await redis.xadd(STREAM, fields)


async def until_says(writer: Writer, key: str, value: object) -> None:
    with anyio.fail_after(LOADED_S):
        while writer.readiness().get(key) != value:  # noqa: ASYNC110
            await anyio.sleep(0.02)


async def until_stored(url: str, batches: int) -> None:
    with anyio.fail_after(LOADED_S):
        while len(rows(url, "select seq from batch")) < batches:  # noqa: ASYNC110
            await anyio.sleep(0.02)


@pytest.mark.parametrize(
    ("setting", "what"), [("fsync", FSYNC_OFF), ("full_page_writes", FULL_PAGE_WRITES_OFF)]
)
async def test_a_database_that_may_lose_commits_is_waited_for(
    url: str, primary: str, setting: str, what: str
) -> None:
    edge, redis = FakeEdge(), connect(primary, LOADED_S, connect_timeout_s=LOADED_S)
    async with running_writer(writer_settings(url, primary)) as writer:
        await send(redis, edge)
        await until_stored(url, 1)
        await until_emptied(redis)
        set_server(url, setting, "off")
        await until_says(writer, "database_trouble", "weak_promise")
        assert writer.readiness()["ready"] is False
        assert writer.readiness()["weaker_promises"] == {"database": [what]}
        await send(redis, edge)
        await until_says(writer, "database_trouble", "weak_promise")
        assert (await redis.xlen(STREAM), len(rows(url, "select seq from batch"))) == (1, 1)
        set_server(url, setting, "on")
        await until_stored(url, 2)
        await until_says(writer, "ready", True)
        assert "weaker_promises" not in writer.readiness()
    await redis.aclose()


async def test_without_strict_mode_it_is_used_and_named(url: str, primary: str) -> None:
    set_server(url, "fsync", "off")
    redis = connect(primary, LOADED_S, connect_timeout_s=LOADED_S)
    async with running_writer(writer_settings(url, primary, writer_strict=False)) as writer:
        await send(redis, FakeEdge())
        await until_stored(url, 1)
        await until_says(writer, "weaker_promises", {"database": [FSYNC_OFF]})
        await until_says(writer, "ready", True)
    await redis.aclose()


async def test_a_session_waits_for_its_commits_whatever_the_database_says(
    looking: psycopg.Connection[tuple[object, ...]],
) -> None:
    assert looking.execute("show synchronous_commit").fetchone() == ("off",)
    promises = Promises()
    promises.look(looking)
    assert promises.weak == ()
    assert looking.execute("show synchronous_commit").fetchone() == ("on",)
