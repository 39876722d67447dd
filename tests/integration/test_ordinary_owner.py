"""The role that docs/install.md makes, an ordinary one, is enough for Millrace."""

import secrets
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from infrastructure.local.postgres_server import PostgresServer
from infrastructure.local.stack import LocalStack
from writer.migrate import upgrade


@pytest.fixture
def owned(stack: LocalStack) -> Iterator[str]:
    """A database of a role that is no superuser, with the extension and nothing else in it."""
    server, name = stack.postgres, f"owner_{secrets.token_hex(4)}"
    assert isinstance(server, PostgresServer)
    role = sql.Identifier(name)
    with psycopg.connect(server.database_url("postgres"), autocommit=True) as admin:
        admin.execute(sql.SQL("create role {} login password 'owner'").format(role))
        admin.execute(
            sql.SQL(
                "create database {} owner {} template template0 encoding 'UTF8' locale 'C'"
            ).format(role, role)
        )
        with psycopg.connect(server.database_url(name), autocommit=True) as inside:
            inside.execute("create extension timescaledb")
        yield f"postgresql://{name}:owner@127.0.0.1:{server.port}/{name}"
        admin.execute(sql.SQL("drop database {} with (force)").format(role))
        admin.execute(sql.SQL("drop role {}").format(role))


def test_an_owner_who_is_no_superuser_can_migrate_and_migrate_again(owned: str) -> None:
    upgrade(owned)
    upgrade(owned)
    with psycopg.connect(owned) as connection:
        found = connection.execute(
            "select hypertable_name from timescaledb_information.hypertables"
        )
        assert found.fetchall() == [("events",)]
