"""The local stack: real servers, kept data, nothing left behind."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import redis

from infrastructure.local.child import Child
from infrastructure.local.folders import CHECKOUT
from infrastructure.local.ports import free_ports
from infrastructure.local.postgres_server import PostgresServer
from infrastructure.local.redis_server import RedisServer
from infrastructure.local.server import POSTGRES_SETTING, GivenServer
from infrastructure.local.stack import LocalStack, fresh_plan, local_stack
from infrastructure.problem import Problem


def test_the_database_has_timescaledb_of_the_apache_edition(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("create extension if not exists timescaledb")
        row = connection.execute("show timescaledb.license").fetchone()
    assert row == ("apache",)


def test_no_worker_of_timescaledb_runs_that_would_write_errors_for_want_of_a_licence(
    stack: LocalStack,
) -> None:
    with psycopg.connect(stack.postgres_url, autocommit=True) as connection:
        connection.execute("create extension if not exists timescaledb")
        workers = connection.execute(
            "select count(*) from pg_stat_activity where backend_type ilike '%timescaledb%'"
        ).fetchone()
        most = connection.execute("show timescaledb.max_background_workers").fetchone()
    assert (workers, most) == ((0,), ("0",))


def test_text_in_the_database_compares_by_code_point(database: str) -> None:
    with psycopg.connect(database) as connection:
        row = connection.execute("select 'Z' < 'a', 'z' < 'é'").fetchone()
    assert row == (True, True)


def test_both_redis_fsync_before_they_answer_and_evict_nothing(stack: LocalStack) -> None:
    for server in (stack.primary, stack.spool):
        assert isinstance(server, RedisServer)
        with server.client() as client:
            settings = client.config_get("append*", "maxmemory-policy")
        assert settings["appendonly"] == "yes"
        assert settings["appendfsync"] == "always"
        assert settings["maxmemory-policy"] == "noeviction"


def test_a_server_that_ended_by_itself_is_started_again(
    redis_server: Callable[[], RedisServer], stack: LocalStack
) -> None:
    spool = redis_server()
    ours = LocalStack(stack.primary, spool, GivenServer(stack.postgres_url, POSTGRES_SETTING))
    assert ours.start_ended() == []
    spool.kill()
    assert ours.start_ended() == ["spool"]
    assert spool.running


def test_a_server_that_cannot_start_is_left_for_the_next_time(
    redis_server: Callable[[], RedisServer], stack: LocalStack
) -> None:
    spool = redis_server()
    ours = LocalStack(stack.primary, spool, GivenServer(stack.postgres_url, POSTGRES_SETTING))
    spool.kill()
    (manifest,) = spool.folder.rglob("*.manifest")
    kept = manifest.read_bytes()
    manifest.write_bytes(b"no manifest")
    assert ours.start_ended() == []
    manifest.write_bytes(kept)
    assert ours.start_ended() == ["spool"]


def test_a_killed_redis_still_has_what_it_acknowledged(
    redis_server: Callable[[], RedisServer],
) -> None:
    server = redis_server()
    with server.client() as client:
        client.set("kept", "yes")
    server.kill()
    server.start()
    with server.client() as client:
        assert client.get("kept") == b"yes"


def test_a_paused_redis_takes_connections_and_answers_after_resume(
    redis_server: Callable[[], RedisServer],
) -> None:
    server = redis_server()
    server.pause()
    client = redis.Redis.from_url(server.url, socket_timeout=0.05, retry=None)
    with pytest.raises(redis.TimeoutError):
        client.ping()
    server.resume()
    with server.client() as again:
        assert again.ping()


def test_a_killed_database_comes_back_with_its_commits(postgres_server: PostgresServer) -> None:
    with psycopg.connect(postgres_server.url) as connection:
        connection.execute("create table kept as select 1 as one")
    postgres_server.kill()
    postgres_server.start()
    with psycopg.connect(postgres_server.url) as connection:
        assert connection.execute("select one from kept").fetchone() == (1,)


def test_two_stacks_stand_side_by_side(stack: LocalStack, scratch: Path) -> None:
    with local_stack(scratch / "second", fresh_plan()) as second:
        assert len({stack.primary_url, stack.spool_url, second.primary_url, second.spool_url}) == 4
        psycopg.connect(second.postgres_url).close()
        psycopg.connect(stack.postgres_url).close()


def test_servers_named_in_the_environment_are_used_and_not_made_to_fail(scratch: Path) -> None:
    named = {
        "MILLRACE_PRIMARY_URL": "redis://one",
        "MILLRACE_SPOOL_URL": "redis://two",
        "MILLRACE_POSTGRES_URL": "postgresql://three",
    }
    given = local_stack(scratch / "given", fresh_plan(), named)
    assert (given.primary_url, given.spool_url) == ("redis://one", "redis://two")
    with pytest.raises(Problem, match="unset MILLRACE_PRIMARY_URL"):
        given.primary.pause()


@pytest.mark.parametrize(
    ("setting", "scheme"),
    [("MILLRACE_PRIMARY_URL", "redis"), ("MILLRACE_POSTGRES_URL", "postgresql")],
)
def test_a_named_server_that_does_not_answer_is_named(setting: str, scheme: str) -> None:
    nowhere = GivenServer(f"{scheme}://127.0.0.1:{free_ports(1)[0]}/0", setting)
    with pytest.raises(Problem, match=f"in {setting} does not answer"):
        nowhere.start()


def test_a_named_server_that_answers_is_left_as_it_is(stack: LocalStack) -> None:
    for url in (stack.primary_url, stack.postgres_url):
        GivenServer(url, "MILLRACE_ANY_URL").start()


_PARENT = """
import sys, time
from pathlib import Path
from infrastructure.local.child import Child
child = Child(["sleep", "600"], Path(sys.argv[1]))
print(child.pid, flush=True)
time.sleep(600)
"""


def test_a_child_dies_when_its_parent_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT, tmp_path / "log"], stdout=subprocess.PIPE, cwd=CHECKOUT
    ) as parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    _wait_until_dead(child)


_DEAF = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
while True:
    signal.pause()
"""


def test_a_child_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    child = Child([sys.executable, "-c", _DEAF], tmp_path / "log")
    while not child.log.read_text():
        assert child.running
    assert child.stop(within_s=0.1) == -signal.SIGKILL


def _wait_until_dead(pidfd: int) -> None:
    readable, _, _ = select.select([pidfd], [], [], 60)
    os.close(pidfd)
    assert readable
