"""What the demo sees while its database goes away and comes back."""

import psycopg
import pytest

from infrastructure.demo.sight import Lookout
from infrastructure.local.postgres_server import PostgresServer
from shared.redis_connection import connect

pytestmark = pytest.mark.anyio


async def test_the_last_figures_stand_while_the_database_is_away(
    postgres_server: PostgresServer, primary: str, spool: str
) -> None:
    url = postgres_server.database_url("postgres")
    database = await psycopg.AsyncConnection.connect(url, autocommit=True)
    await database.execute(
        "CREATE TABLE commits (commit_no bigint, events int);"
        "CREATE FUNCTION settled() RETURNS bigint LANGUAGE sql"
        " AS 'SELECT max(commit_no) FROM commits';"
        "INSERT INTO commits VALUES (1, 5), (2, 7)"
    )
    lookout = Lookout(connect(primary, 60), connect(spool, 60), database, url, 1)
    seen = await lookout.look()
    assert (seen.commit, seen.stored) == (2, 7)
    postgres_server.kill()
    for _ in range(2):
        assert await lookout.look() == seen
    postgres_server.start()
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("INSERT INTO commits VALUES (3, 1)")
    seen = await lookout.look()
    assert (seen.commit, seen.stored) == (3, 8)
    await lookout.close()
