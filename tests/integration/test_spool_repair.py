"""`millrace spool repair`: a Redis that damage keeps from starting has all the rest again."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from infrastructure.cli import cli
from infrastructure.local.redis_server import RedisServer
from infrastructure.problem import Problem

_STREAM, _ENTRIES, _HIT = "ingest:test", 20, 5
_XADD = re.compile(rb"\*7\r\n\$4\r\nXADD\r\n\$11\r\ningest:test\r\n\$15\r\n")
_DAMAGES = {
    "id": (0, 8),
    "id's length": (-4, 8),
    "name": (-29, 1),
    "framing": (-37, 1),
    "count": (-36, 2),
}


def _file(server: RedisServer) -> Path:
    return next((server.folder / "appendonlydir").glob("*.incr.aof"))


def _stored(server: RedisServer) -> set[int]:
    with server.client() as client:
        return {int(fields[b"seq"]) for _, fields in client.xrange(_STREAM)}


def _repair(server: RedisServer) -> str:
    ran = CliRunner().invoke(cli, ["spool", "repair", str(server.folder), "--yes"])
    assert ran.exit_code == 0, ran.output
    return ran.output


@pytest.mark.parametrize("what", _DAMAGES)
def test_a_damaged_command_stops_redis_and_after_the_repair_costs_no_other(
    redis_server: Callable[..., RedisServer], what: str
) -> None:
    server = redis_server()
    with server.client() as client:
        for seq in range(_ENTRIES):
            client.xadd(_STREAM, {"seq": seq, "body": b"x" * 50})
    server.kill()
    file, (offset, bit) = _file(server), _DAMAGES[what]
    raw = bytearray(file.read_bytes())
    at = list(_XADD.finditer(bytes(raw)))[_HIT].end() + offset
    raw[at] ^= bit
    file.write_bytes(raw)
    with pytest.raises(Problem):
        server.start()
    assert "bytes" in _repair(server)
    assert file.with_name(f"{file.name}.damaged").read_bytes() == bytes(raw)
    server.start()
    assert set(range(_ENTRIES)) - _stored(server) <= {_HIT}
    with server.client() as client:
        client.xadd(_STREAM, {"seq": 99, "body": b""})


def test_a_sound_file_stays_as_it_is(redis_server: Callable[..., RedisServer]) -> None:
    server = redis_server()
    with server.client() as client, client.pipeline(transaction=True) as pipeline:
        for seq in range(3):
            pipeline.xadd(_STREAM, {"seq": seq})
        pipeline.set("probe:test", "1", ex=600)
        pipeline.hset("shares", mapping={"a": 1})
        pipeline.xtrim(_STREAM, minid="1-0", approximate=False)
        pipeline.execute()
    server.kill()
    before = _file(server).read_bytes()
    assert "Nothing is damaged" in _repair(server)
    assert _file(server).read_bytes() == before


def test_a_repair_that_dies_leaves_the_old_file_and_the_next_one_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.manifest").write_text("file a.1.incr.aof seq 1 type i\n")
    file = tmp_path / "a.1.incr.aof"
    damaged = b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n+broken\r\n*2\r\n$3\r\nDEL\r\n$1\r\na\r\n"
    file.write_bytes(damaged)
    words = ["spool", "repair", str(tmp_path), "--yes"]

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", dies)
        assert CliRunner().invoke(cli, words).exit_code != 0
    assert file.read_bytes() == damaged
    assert CliRunner().invoke(cli, words).exit_code == 0
    assert file.read_bytes() == damaged.replace(b"+broken\r\n", b"")
    assert file.with_name(f"{file.name}.damaged.2").read_bytes() == damaged
    assert file.with_name(f"{file.name}.unreadable.2").read_bytes() == b"+broken\r\n"


def test_a_damaged_manifest_and_a_foreign_folder_are_said(tmp_path: Path) -> None:
    ran = CliRunner().invoke(cli, ["spool", "repair", str(tmp_path)])
    assert (ran.exit_code, "is not the folder of one Redis" in ran.output) == (1, True)
    (tmp_path / "a.manifest").write_text("fjle a.1.incr.aof seq 1 type i\n")
    ran = CliRunner().invoke(cli, ["spool", "repair", str(tmp_path)])
    assert (ran.exit_code, "mend it by hand" in ran.output) == (1, True)
