"""The three servers that Millrace needs, side by side: a primary, a spool and a database."""

import secrets
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from infrastructure.local.account import server_account
from infrastructure.local.docker_servers import Containers
from infrastructure.local.folders import make_folder
from infrastructure.local.ports import free_port, free_ports
from infrastructure.local.postgres_server import PostgresServer
from infrastructure.local.redis_server import RedisServer
from infrastructure.local.server import (
    POSTGRES_SETTING,
    PRIMARY_SETTING,
    SERVER_SETTINGS,
    SPOOL_SETTING,
    GivenServer,
    Server,
)
from infrastructure.local.server_programs import ServerPrograms, needs_docker, server_programs
from infrastructure.problem import Problem

SPOOL_MAX_BYTES = 2 * 1024**3


@dataclass(frozen=True)
class StackPlan:
    """Ports and passwords of the three servers; remembered between runs where data is kept."""

    primary_port: int
    spool_port: int
    postgres_port: int
    redis_password: str = field(repr=False)
    postgres_password: str = field(repr=False)

    @property
    def ports(self) -> tuple[int, int, int]:
        return (self.primary_port, self.spool_port, self.postgres_port)

    def with_free_ports(self, beside: Collection[int] = ()) -> Self:
        """The same, with another port in place of each that somebody has taken meanwhile, or is
        about to take, as those `beside`."""
        primary = free_port(self.primary_port, beside)
        spool = free_port(self.spool_port, (*beside, primary))
        postgres = free_port(self.postgres_port, (*beside, primary, spool))
        return replace(self, primary_port=primary, spool_port=spool, postgres_port=postgres)


def fresh_plan() -> StackPlan:
    """Free ports and new passwords."""
    primary, spool, postgres = free_ports(3)
    return StackPlan(primary, spool, postgres, secrets.token_hex(16), secrets.token_hex(16))


@dataclass(frozen=True)
class LocalStack:
    """The three servers; a context manager that starts them and ends them all.

    Each of `primary`, `spool` and `postgres` can be stopped, killed, paused and started by itself.
    """

    primary: Server
    spool: Server
    postgres: Server

    @property
    def primary_url(self) -> str:
        return self.primary.url

    @property
    def spool_url(self) -> str:
        return self.spool.url

    @property
    def postgres_url(self) -> str:
        return self.postgres.url

    def start(self) -> None:
        """Start what does not run; when one fails, none is left running."""
        try:
            for server in (self.postgres, self.primary, self.spool):
                server.start()
        except BaseException:
            self.close()
            raise

    def start_ended(self) -> list[str]:
        """Start again what has ended by itself, as a Redis does on a full disk; the names of those
        that run again. One that cannot start is left for the next time."""
        started = []
        for name, server in self._named():
            if not server.running:
                with suppress(Problem, OSError):
                    server.start()
                    started.append(name)
        return started

    def _named(self) -> list[tuple[str, Server]]:
        return [("database", self.postgres), ("primary", self.primary), ("spool", self.spool)]

    def close(self) -> None:
        for server in (self.primary, self.spool, self.postgres):
            server.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def local_stack(
    folder: Path, plan: StackPlan, environment: Mapping[str, str] | None = None
) -> LocalStack:
    """The stack with its data below `folder`; a server named in `environment` is used as it is.

    Without `environment` all three are processes of our own, whatever the shell says: tests empty
    them.
    """
    given = environment or {}
    if all(given.get(name) for name in SERVER_SETTINGS):
        return LocalStack(
            primary=GivenServer(given[PRIMARY_SETTING], PRIMARY_SETTING),
            spool=GivenServer(given[SPOOL_SETTING], SPOOL_SETTING),
            postgres=GivenServer(given[POSTGRES_SETTING], POSTGRES_SETTING),
        )
    in_docker = environment is not None and needs_docker()
    own = _docker_stack(folder, plan) if in_docker else _own_stack(folder, plan, server_programs())
    return LocalStack(
        primary=_given_or(own.primary, given, PRIMARY_SETTING),
        spool=_given_or(own.spool, given, SPOOL_SETTING),
        postgres=_given_or(own.postgres, given, POSTGRES_SETTING),
    )


def _given_or(own: Server, given: Mapping[str, str], setting: str) -> Server:
    url = given.get(setting)
    return GivenServer(url, setting) if url else own


def _docker_stack(folder: Path, plan: StackPlan) -> LocalStack:
    ports = {
        "primary": plan.primary_port,
        "spool": plan.spool_port,
        "postgres": plan.postgres_port,
    }
    containers = Containers(folder, ports, plan.redis_password, plan.postgres_password)
    return LocalStack(*(containers.server(name) for name in ports))


def _own_stack(folder: Path, plan: StackPlan, programs: ServerPrograms) -> LocalStack:
    account = server_account()
    make_folder(folder)
    if account:
        account.check_reach(folder)
        account.check_reach(programs.postgres)
        account.check_reach(programs.redis.parent)
    redis, password = programs.redis, plan.redis_password
    return LocalStack(
        primary=RedisServer(
            redis, folder / "primary", plan.primary_port, password, account=account
        ),
        spool=RedisServer(
            redis, folder / "spool", plan.spool_port, password, SPOOL_MAX_BYTES, account
        ),
        postgres=PostgresServer(
            programs.postgres,
            folder / "postgres",
            plan.postgres_port,
            plan.postgres_password,
            account,
        ),
    )
