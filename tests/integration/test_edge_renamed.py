"""An edge that is given another name while its spool or its boot files hold something."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge.batches.boot_file import read_boots
from edge.drain.former_state import ANOTHERS
from infrastructure.local.redis_server import RedisServer
from shared.heartbeat import DRAIN_FIELD, BootBeat, DrainBeat, redis_key
from tests.documents import DOCS
from tests.edge_processes import edge_processes, wait_for
from tests.journal_world import EDGE, JournalWorld, journal_world, until
from tests.writer_world import put_edge

Start = Callable[..., RedisServer]
NEW = "renamed"


@pytest.fixture(params=["off", "on"], ids=["without-journal", "with-journal"])
def world(
    request: pytest.FixtureRequest, redis_server: Start, database: str, tmp_path: Path
) -> Iterator[JournalWorld]:
    with journal_world(
        redis_server(),
        redis_server(),
        database,
        tmp_path / "state",
        edge_journal=str(request.param),
    ) as made:
        yield made


def leave_a_backlog(world: JournalWorld) -> set[int]:
    """Some is stored, some waits in the spool, and edge and drain have ended; the boots so far."""
    world.edge.start_drain()
    world.post(3)
    until(lambda: _drain_of(world, EDGE) is not None)
    world.primary.kill()
    world.post(5)
    world.edge.stop()
    return {record.boot for _, _, record in read_boots(world.edge.state)}


def rename(world: JournalWorld, *, confined: bool = False) -> None:
    """The next life of edge and drain, with the primary back; `confined`: which knows them by a
    user that may do what the new name needs, and no more."""
    put_edge(world.database, NEW)
    world.primary.start()
    url = world.primary.url
    if confined:
        with world.primary.client() as client:
            client.execute_command("ACL", "SETUSER", *_rules())
        url = f"redis://{NEW}:edge@127.0.0.1:{world.primary.port}/0"
    world.edge.env |= {"MILLRACE_EDGE_NAME": NEW, "MILLRACE_PRIMARY_URL": url}
    world.edge.start_edge()
    until(lambda: world.edge.readiness()["ready"])
    world.edge.start_drain()


def _rules() -> list[str]:
    """What docs/install.md sets the user `berlin` to, for the new name."""
    (line,) = re.findall(r"^    user (berlin .*)$", (DOCS / "install.md").read_text(), re.MULTILINE)
    name, *words = line.replace("berlin", NEW).replace(">PASSWORD", ">edge").split()
    return [name, "reset", *words]


def test_what_the_old_name_left_comes_home_under_it_and_nothing_is_lost(
    world: JournalWorld,
) -> None:
    world.writer.start()
    boots = leave_a_backlog(world)
    assert boots
    rename(world)
    world.post(1)
    world.until_stored()
    until(lambda: boots <= {boot for boot, beat in _beats_of(world, EDGE).items() if beat.ended})
    until(lambda: not boots & {record.boot for _, _, record in read_boots(world.edge.state)})
    assert not boots & _beats_of(world, NEW).keys()
    until(lambda: (beat := _drain_of(world, EDGE)) is not None and beat.batches == 0)
    assert world.lost() == []


def test_a_primary_that_takes_the_new_name_alone_is_said_and_the_backlog_stays_in_sight(
    world: JournalWorld,
) -> None:
    boots = leave_a_backlog(world)
    rename(world, confined=True)
    world.post(1)
    until(lambda: f"ingest:{EDGE}" in _former(world))
    until(lambda: world.drain_metric("millrace_spool_batches") >= 5)
    assert world.edge.drain_readiness()["primary_healthy"]
    assert boots <= {record.boot for _, _, record in read_boots(world.edge.state)}
    with world.primary.client() as client:
        client.execute_command("ACL", "SETUSER", NEW, "~*")
    world.writer.start()
    world.until_stored()


def test_what_another_edge_keeps_in_the_same_spool_is_said_and_left_to_its_own_drain(
    redis_server: Start, tmp_path: Path
) -> None:
    primary, spool = redis_server(), redis_server()
    with (
        edge_processes(
            primary.url, spool.url, tmp_path / "a", edge_name="a", edge_journal="on"
        ) as a,
        edge_processes(primary.url, spool.url, tmp_path / "b", edge_name="b") as b,
    ):
        a.start_both()
        assert a.post().status == 202
        b.start_both()
        said = {"a": ANOTHERS}
        wait_for(lambda: b.drain_readiness().get("former_names") == said)
        assert a.drain_readiness().get("former_names") is None
        assert b.post().status == 202
        with spool.client() as client, primary.client() as at_primary:
            assert client.xlen("ingest:a") == 1
            wait_for(lambda: at_primary.xlen("ingest:a") == at_primary.xlen("ingest:b") == 1)


def _former(world: JournalWorld) -> str:
    return str(world.edge.drain_readiness().get("former_names", {}).get(EDGE))


def _fields(world: JournalWorld, name: str) -> dict[bytes, bytes]:
    with world.primary.client() as client:
        found: Any = client.hgetall(redis_key(name))
    return dict(found)


def _beats_of(world: JournalWorld, name: str) -> dict[int, BootBeat]:
    found = _fields(world, name)
    found.pop(DRAIN_FIELD.encode(), None)
    return {
        int(field, 16): msgspec.msgpack.decode(raw, type=BootBeat) for field, raw in found.items()
    }


def _drain_of(world: JournalWorld, name: str) -> DrainBeat | None:
    raw = _fields(world, name).get(DRAIN_FIELD.encode())
    return None if raw is None else msgspec.msgpack.decode(raw, type=DrainBeat)
