"""Databases with all migrations applied, cloned from a template in a fraction of a second."""

from dataclasses import dataclass

import psycopg
from psycopg.sql import SQL, Identifier

from infrastructure.local.postgres_server import PostgresServer
from writer.migrate import upgrade

_TEMPLATE = "millrace_template"


@dataclass
class Templates:
    """Makes and drops databases on one server; `make_template()` comes first."""

    server: PostgresServer
    _count: int = 0

    def make_template(self) -> None:
        """A migrated database that nobody may connect to, TimescaleDB's own workers included:
        CREATE DATABASE refuses a template somebody is connected to."""
        self._run(SQL("create database {}").format(Identifier(_TEMPLATE)))
        upgrade(self.server.database_url(_TEMPLATE))
        self._run(SQL("alter database {} allow_connections false").format(Identifier(_TEMPLATE)))
        self._run(
            SQL("select pg_terminate_backend(pid) from pg_stat_activity where datname = {}").format(
                _TEMPLATE
            )
        )

    def clone(self) -> str:
        """A fresh migrated database; returns its name."""
        self._count += 1
        name = f"clone_{self._count}"
        template = Identifier(_TEMPLATE)
        self._run(SQL("create database {} template {}").format(Identifier(name), template))
        return name

    def drop(self, name: str) -> None:
        """Drop it, whoever is still connected."""
        self._run(SQL("drop database {} with (force)").format(Identifier(name)))

    def _run(self, statement: psycopg.sql.Composed) -> None:
        url = self.server.database_url("postgres")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(statement)
