"""The migrated database is what ``writer/tables/`` says, and numbers its commits soundly."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine

from infrastructure.local.postgres_server import PostgresServer
from writer.migrate import sqlalchemy_url, upgrade
from writer.tables import metadata


def test_migrated_database_and_metadata_do_not_differ(database: str) -> None:
    engine = create_engine(sqlalchemy_url(database))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_two_processes_may_migrate_at_once(postgres_server: PostgresServer) -> None:
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as processes:
        list(processes.map(upgrade, [postgres_server.url] * 2))
    with psycopg.connect(postgres_server.url) as connection:
        assert connection.execute("select count(*) from alembic_version").fetchone() == (1,)


def test_events_are_a_hypertable_without_an_index_on_time_alone(database: str) -> None:
    with psycopg.connect(database) as connection:
        tables = connection.execute(
            "select hypertable_name from timescaledb_information.hypertables"
        ).fetchall()
        indexes = connection.execute(
            "select indexname from pg_indexes where tablename = 'events' order by 1"
        ).fetchall()
    assert tables == [("events",)]
    names = [name for (name,) in indexes]
    assert names == [
        "events_by_commit",
        "events_by_receipt",
        "events_by_visitor",
        "events_gone",
        "events_of_bots",
        "events_once",
    ]


def test_a_lower_number_that_commits_later_is_never_skipped(database: str) -> None:
    with (
        psycopg.connect(database) as slow,
        psycopg.connect(database) as fast,
        psycopg.connect(database, autocommit=True) as reader,
    ):
        first = _open(slow)
        second = _open(fast)
        assert first < second
        fast.commit()
        assert _settled(reader) < first
        slow.commit()
        assert _settled(reader) == second


def test_commits_that_a_dump_brought_from_another_cluster_have_settled(database: str) -> None:
    with (
        psycopg.connect(database) as slow,
        psycopg.connect(database) as fast,
        psycopg.connect(database, autocommit=True) as reader,
    ):
        last = _open(fast)
        fast.commit()
        # There as many transactions had been that this cluster is years away from it.
        reader.execute("update commits set xid = '1099511627776'")
        assert _settled(reader) == last
        first = _open(slow)
        second = _open(fast)
        fast.commit()
        assert _settled(reader) == last
        slow.commit()
        assert first < _settled(reader) == second


def test_an_aborted_commit_holds_nobody_up(database: str) -> None:
    with (
        psycopg.connect(database) as one,
        psycopg.connect(database, autocommit=True) as reader,
    ):
        _open(one)
        one.rollback()
        second = _open(one)
        one.commit()
        assert _settled(reader) == second


def test_a_commit_must_be_opened_before_anything_is_written(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("insert into edge (edge) values ('e1')")
        with pytest.raises(psycopg.errors.RaiseException):
            _open(connection)


@pytest.mark.parametrize(
    "change",
    [
        "insert into site (key) values ('a.example')",
        "insert into site_setting values (1, 'honour_dnt', now(), 'false')",
        "insert into api_key (digest, scopes) values ('x', '{ingest}')",
        "update api_key set revoked_at = now()",
        "delete from site",
    ],
)
def test_what_an_edge_must_know_counts_the_snapshot_version_up(database: str, change: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        before = _version(connection)
        connection.execute(change.encode())
        assert _version(connection) == before + 1


def _open(connection: psycopg.Connection) -> int:
    return _one(connection, b"select open_commit()")


def _settled(connection: psycopg.Connection) -> int:
    return _one(connection, b"select settled()")


def _version(connection: psycopg.Connection) -> int:
    return _one(connection, b"select version from snapshot_version")


def _one(connection: psycopg.Connection, query: bytes) -> int:
    row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])
