"""A verb whose database is hung, away, too busy or empty says so, in one sentence and in time."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

import psycopg
import pytest
from click.testing import CliRunner, Result
from psycopg import Connection

from infrastructure.cli import cli
from infrastructure.core_database import core_database
from infrastructure.local.ports import free_ports
from infrastructure.local.postgres_server import PostgresServer
from infrastructure.problem import Problem
from tests.writer_world import SEAL_KEY, SIGNING_KEY
from writer.database.connection import Unavailable, connect, unavailable
from writer.migrate import upgrade

Run = Callable[..., Result]
VERBS = [("ledger",), ("quarantine", "list"), ("quarantine", "replay", "1")]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """A verb of the core, with its database at a URL."""
    settings = {
        "STATE": str(tmp_path),
        "PRIMARY_URL": "redis://127.0.0.1:1",
        "SIGNING_KEY": SIGNING_KEY,
        "SEAL_KEYS": SEAL_KEY,
        "GEO_DIR": str(tmp_path),
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"MILLRACE_{name}", value)

    def call(url: str, *words: str) -> Result:
        monkeypatch.setenv("MILLRACE_POSTGRES_URL", url)
        return CliRunner().invoke(cli, words, prog_name="millrace")

    return call


def told(result: Result) -> str:
    """The one sentence."""
    assert result.exit_code == 1
    [line] = result.output.splitlines()
    assert line.startswith("Error: ")
    return line


@pytest.mark.parametrize("words", VERBS)
def test_no_verb_waits_for_a_hung_or_an_absent_database(
    run: Run, postgres_server: PostgresServer, words: tuple[str, ...]
) -> None:
    postgres_server.pause()
    began = monotonic()
    try:
        assert "does not answer" in told(run(postgres_server.url, *words))
    finally:
        postgres_server.resume()
    assert monotonic() - began < 90
    nowhere = f"postgresql://u:p@127.0.0.1:{free_ports(1)[0]}/none"
    assert "does not answer" in told(run(nowhere, *words))


def test_an_empty_database_and_one_without_a_free_connection_are_named(
    run: Run, postgres_server: PostgresServer
) -> None:
    url = postgres_server.url
    for words in VERBS:
        assert "`migrate`" in told(run(url, *words))
    held = fill(url)
    for words in VERBS:
        assert "no connection" in told(run(url, *words))
    with pytest.raises(Unavailable) as caught:
        connect(url)
    assert caught.value.why == "short_of_resources"
    assert "too many clients" in str(caught.value)
    for connection in held:
        connection.close()


def test_a_role_and_a_database_out_of_connections_are_short_of_resources(
    postgres_server: PostgresServer,
) -> None:
    with psycopg.connect(postgres_server.url, autocommit=True) as first:
        first.execute("create role little login password 'p' connection limit 0")
        first.execute("create database small connection limit 0")
        first.execute("create role worker login password 'p'")
    assert why(postgres_server.url.replace("millrace:", "nobody:", 1)) == "unreachable"
    address = f"127.0.0.1:{postgres_server.port}"
    assert why(f"postgresql://little:p@{address}/millrace") == "short_of_resources"
    assert why(f"postgresql://worker:p@{address}/small") == "short_of_resources"
    held = fill(f"postgresql://worker:p@{address}/millrace")
    assert why(f"postgresql://worker:p@{address}/millrace") == "short_of_resources"
    for connection in held:
        connection.close()


def test_a_database_that_ends_or_takes_nobody_yet_is_restarting(
    postgres_server: PostgresServer,
) -> None:
    """A smart shutdown waits for who is there, and takes nobody else."""
    with psycopg.connect(postgres_server.url):
        os.kill(postgres_server.pid, signal.SIGTERM)
        within = monotonic() + 60
        while not (found := why(postgres_server.url)) and monotonic() < within:
            sleep(0.05)
        assert found == "restarting"


def test_what_hangs_in_the_midst_of_it_is_given_up(
    run: Run, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infrastructure.core_database.ANSWER_S", 6.0)
    upgrade(postgres_server.url)
    with psycopg.connect(postgres_server.url) as other:
        other.execute("lock table quarantine, edge in access exclusive mode")
        for words in (("ledger",), ("quarantine", "list")):
            assert "lock" in told(run(postgres_server.url, *words))
    with pytest.raises(Problem, match="does not answer"):
        ask_a_stopped_backend(postgres_server.url)


def ask_a_stopped_backend(url: str) -> None:
    with core_database(url) as connection:
        pid = connection.info.backend_pid
        os.kill(pid, signal.SIGSTOP)
        try:
            connection.execute("select 1")
        finally:
            os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize(
    "said",
    [
        "the database system is starting up",
        "the database system is not yet accepting connections\nDETAIL:  Consistent recovery state",
        "the database system is not accepting connections",
        "the database system is in recovery mode",
        "the database system is shutting down",
    ],
)
def test_every_word_of_a_server_between_two_states_is_known(said: str) -> None:
    error = psycopg.OperationalError(
        f'connection failed: connection to server at "127.0.0.1", port 5432 failed: FATAL:  {said}'
    )
    assert unavailable(error).why == "restarting"


def fill(url: str) -> list[Connection[tuple[object, ...]]]:
    """Every connection that a server gives, those included that others are giving back."""
    held = [psycopg.connect(url, autocommit=True)]
    while True:
        try:
            held.append(psycopg.connect(url, autocommit=True))
        except psycopg.OperationalError:
            if not others(held):
                return held


def others(held: list[Connection[tuple[object, ...]]]) -> bool:
    """Whether somebody else is still connected to a database, or ending."""
    found = held[0].execute("select pid from pg_stat_activity where datname is not null").fetchall()
    return bool({pid for (pid,) in found} - {each.info.backend_pid for each in held})


def why(url: str) -> str:
    """What is said of the trouble to connect; empty: there is none."""
    try:
        connect(url).close()
    except Unavailable as trouble:
        return trouble.why
    return ""
