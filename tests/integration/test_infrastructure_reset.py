"""`reset` says what it would delete, asks, and deletes that and nothing else."""

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from infrastructure.cli import cli
from infrastructure.local.folders import make_folder, state_folder
from infrastructure.local.installation import Installation, open_installation
from infrastructure.local.post import Post
from infrastructure.local.redis_server import RedisServer
from infrastructure.local.server import SERVER_SETTINGS
from infrastructure.local.stack import local_stack
from infrastructure.manifest import read_manifest
from writer.migrate import upgrade


@pytest.fixture
def state(scratch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for setting in SERVER_SETTINGS:
        monkeypatch.delenv(setting, raising=False)
    state = make_folder(scratch / tmp_path.name)
    monkeypatch.setenv("MILLRACE_STATE", str(state))
    return state


@pytest.fixture
def installation(state: Path) -> Installation:
    """What `up` has left behind: a database with a site and an owner, and a batch that waits."""
    folder = state_folder("up")
    made = open_installation(folder, read_manifest(), {}, free=True)
    with local_stack(folder, made.stack) as stack:
        upgrade(stack.postgres_url)
        with psycopg.connect(stack.postgres_url) as db:
            db.execute("insert into site (key) values ('shop.example')")
            db.execute("insert into owner (email, password) values ('you@shop.example', '')")
        assert isinstance(stack.spool, RedisServer)
        with stack.spool.client() as client:
            client.xadd("ingest:local", {"v": "1"})
    return made


def _reset(*arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(cli, ["reset", *arguments], input=typed)


@pytest.mark.usefixtures("installation")
def test_it_says_what_is_there_and_deletes_it_once_the_name_is_typed() -> None:
    folder, other = state_folder("up"), make_folder(state_folder("demo"))
    kept = _reset(typed="yes\n")
    assert (kept.exit_code, "Nothing was deleted." in kept.stderr) == (1, True)
    assert folder.exists()
    done = _reset(typed="up\n")
    assert done.exit_code == 0, done.stderr
    for said in (
        f"In {folder}",
        "0 events of shop.example; the database takes ",
        "1 owners, 0 API keys, 1 sites",
        "1 batches that wait, 0 set aside",
        "can never be opened again",
    ):
        assert said in done.stdout
    assert sorted(path.name for path in folder.parent.iterdir()) == [other.name]


def test_what_runs_is_not_deleted_unless_it_is_stopped(state: Path) -> None:
    folder = make_folder(state_folder("up"))
    with Post(folder).held():
        refused = _reset("--yes")
    assert (refused.exit_code, "`up` runs: end it (`./run down`)" in refused.stderr) == (1, True)
    assert folder.exists()


def test_a_running_product_is_ended_counted_and_deleted(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILLRACE_GEO_REFRESH", "false")
    monkeypatch.setenv("MILLRACE_GEO_DIR", str(state / "geo"))
    CliRunner().invoke(cli, ["up", "--free-ports"], catch_exceptions=False)
    done = _reset("--yes", "--stop")
    assert done.exit_code == 0, done.stderr
    assert "0 events; the database takes " in done.stdout
    assert not state_folder("up").exists()


def test_a_broken_installation_can_be_deleted_too(state: Path) -> None:
    folder = make_folder(state_folder("demo"))
    (folder / "rest").write_text("")
    done = _reset("demo", "--yes")
    assert (done.exit_code, "cannot be asked what it holds" in done.stdout) == (0, True)
    assert not folder.exists()


def test_somebody_elses_server_keeps_what_it_holds(
    installation: Installation,
    redis_server: Callable[..., RedisServer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    theirs = redis_server()
    monkeypatch.setenv("MILLRACE_SPOOL_URL", theirs.url)
    with theirs.client() as client:
        client.xadd("ingest:local", {"v": "1"})
        done = _reset("--yes")
        assert "The server of MILLRACE_SPOOL_URL is not ours" in done.stdout
        assert client.xlen("ingest:local") == 1
    assert not state_folder("up").exists()


@pytest.mark.usefixtures("state")
def test_where_there_is_nothing_that_is_said() -> None:
    done = _reset()
    assert (done.exit_code, "There is nothing of `up`" in done.stdout) == (0, True)
    assert "demo" not in done.stdout
    make_folder(state_folder("demo"))
    assert "There is a `demo`: `./run reset demo` deletes that." in _reset().stdout
