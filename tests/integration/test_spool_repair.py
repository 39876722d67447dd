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
