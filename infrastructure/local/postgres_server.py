"""A real PostgreSQL of our own with TimescaleDB (the Apache edition)."""

import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from infrastructure.local.account import Account
from infrastructure.local.child import Child
from infrastructure.local.folders import make_folder
from infrastructure.problem import Problem

_START_WITHIN_S = 120.0
_POLL_S = 0.05
_USER = "millrace"

_INITDB_OPTIONS = (
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--no-instructions",
    # Text compares by code point, and needs no locale of the machine.
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
)

_SETTINGS = """\
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
port = {port}
password_encryption = 'scram-sha-256'
shared_preload_libraries = 'timescaledb'
timescaledb.license = 'apache'
timescaledb.telemetry_level = off
# Its jobs do nothing for us, and one writes an error at each start, for want of the other licence.
timescaledb.max_background_workers = 0
shared_buffers = '128MB'
max_connections = 100
max_wal_size = '2GB'
jit = off
# The one zone that needs no zone files, which a small machine may not have.
timezone = 'GMT'
log_timezone = 'GMT'
lc_messages = 'C'
"""


@dataclass
class PostgresServer:
    """A database cluster in `folder`; `url` names its database `millrace`."""

    programs: Path
    folder: Path
    port: int
    password: str = field(repr=False)
    account: Account | None = None
    _child: Child | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        return self.database_url("millrace")

    def database_url(self, name: str) -> str:
        return f"postgresql://{_USER}:{self.password}@127.0.0.1:{self.port}/{name}"

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.running

    @property
    def pid(self) -> int:
        return self._started().pid

    def start(self) -> None:
        """Make the cluster if it is not there, start it, and wait until it takes connections."""
        if self.running:
            return
        make_folder(self.folder, 0o700)
        if self.account:
            self.account.give(self.folder)
        if not (self._data / "PG_VERSION").exists():
            self._initialise()
        (self._data / "postgresql.conf").write_text(_SETTINGS.format(port=self.port))
        self._child = Child(
            [self.programs / "postgres", "-D", self._data],
            self.folder / "postgres.log",
            account=self.account,
            folder=self.folder,
            dies_by=signal.SIGINT,
        )
        self._wait_until_ready()
        self._make_database()

    def stop(self) -> None:
        """A fast shutdown: open connections are cut, everything is checkpointed."""
        if self.running:
            self._started().stop(signal.SIGINT)

    def kill(self) -> None:
        self._started().kill()

    def pause(self) -> None:
        """SIGSTOP to the postmaster: no new connections; the open ones go on."""
        self._started().pause()

    def resume(self) -> None:
        self._started().resume()

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _started(self) -> Child:
        if self._child is None:
            raise Problem(f"The PostgreSQL on port {self.port} was never started.")
        return self._child

    def _initialise(self) -> None:
        password_file = self.folder / "password"
        password_file.touch(0o600)
        password_file.write_text(self.password)
        if self.account:
            self.account.give(password_file)
        command: list[str | Path] = [self.programs / "initdb", "-D", self._data, "-U", _USER]
        made = subprocess.run(
            [*command, *_INITDB_OPTIONS, f"--pwfile={password_file}"],
            user=self.account.uid if self.account else None,
            group=self.account.gid if self.account else None,
            extra_groups=[] if self.account else None,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        password_file.unlink()
        if made.returncode:
            last = (made.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise Problem(f"PostgreSQL could not set up {self._data}: {last}")

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_WITHIN_S
        while time.monotonic() < deadline and self.running:
            if self._answers():
                return
            time.sleep(_POLL_S)
        raise Problem(
            f"PostgreSQL did not start on port {self.port}: see {self.folder / 'postgres.log'}."
        )

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.database_url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _make_database(self) -> None:
        with psycopg.connect(self.database_url("postgres"), autocommit=True) as connection:
            found = connection.execute("select 1 from pg_database where datname = 'millrace'")
            if found.fetchone() is None:
                connection.execute("create database millrace")
