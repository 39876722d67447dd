"""The Redis user that docs/install.md gives an edge on the primary is all that it needs."""

import dataclasses
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from redis import Redis
from redis.exceptions import NoPermissionError

from infrastructure.cli import cli
from infrastructure.local.installation import EDGE, chosen_ports, new_installation
from infrastructure.local.processes import Processes
from infrastructure.local.product import Product, make_product
from infrastructure.local.redis_server import RedisServer
from infrastructure.local.server import POSTGRES_SETTING, PRIMARY_SETTING, GivenServer
from infrastructure.local.stack import LocalStack
from infrastructure.manifest import read_manifest
from tests.documents import DOCS

_WITHIN_S = 90.0
_EVENTS = 20


def rules() -> list[str]:
    """What the page sets the user `berlin` to, for the edge of these tests."""
    (line,) = re.findall(r"^    (user berlin .*)$", (DOCS / "install.md").read_text(), re.MULTILINE)
    _, name, *words = line.replace("berlin", EDGE).replace(">PASSWORD", ">edge").split()
    return [name, "reset", *words]


@pytest.fixture(params=["off", "on"], ids=["without-journal", "with-journal"])
def confined(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    database: str,
    redis_server: Callable[..., RedisServer],
) -> Iterator[tuple[Product, RedisServer]]:
    """A product whose edge and drain know the primary by that user alone."""
    primary = redis_server()
    with primary.client() as client:
        client.execute_command("ACL", "SETUSER", *rules())
    stack = LocalStack(primary, redis_server(), GivenServer(database, POSTGRES_SETTING))
    installation = new_installation(chosen_ports(read_manifest()))
    changes = {"MILLRACE_EDGE_JOURNAL": str(request.param)}
    made = make_product(tmp_path, installation, stack, changes=changes)
    url = f"redis://{EDGE}:edge@127.0.0.1:{primary.port}/0"
    services = {
        each.name: dataclasses.replace(each, settings={**each.settings, PRIMARY_SETTING: url})
        if each.entry.role == "edge"
        else each
        for each in made.services
    }
    with dataclasses.replace(made, services=Processes(services)) as product:
        yield product, primary


def test_an_edge_with_a_user_of_its_own_stores_spools_and_drains_and_asks_for_nothing_more(
    confined: tuple[Product, RedisServer],
) -> None:
    product, primary = confined
    words = ["site", "add", "example.com", "--time-zone", "UTC", "--no-wait"]
    assert CliRunner().invoke(cli, words, env=dict(product.settings)).exit_code == 0
    send(product)
    wait_for(product, _EVENTS)
    primary.pause()
    send(product)
    primary.resume()
    wait_for(product, 2 * _EVENTS)
    with primary.client() as client:
        assert [(each["object"], each["context"]) for each in client.acl_log()] == []


def test_that_user_can_neither_read_another_edges_stream_nor_empty_its_own(
    confined: tuple[Product, RedisServer],
) -> None:
    _, primary = confined
    url = f"redis://{EDGE}:edge@127.0.0.1:{primary.port}/0"
    with Redis.from_url(url) as client:
        for refused in (
            ["XADD", "ingest:other", "*", "a", "b"],
            ["XRANGE", "ingest:other", "-", "+"],
            ["HGETALL", "heartbeat:other"],
            ["XTRIM", f"ingest:{EDGE}", "MAXLEN", "0"],
            ["DEL", f"ingest:{EDGE}"],
            ["SET", "snapshot", "forged"],
            ["KEYS", "*"],
            ["CONFIG", "SET", "appendfsync", "no"],
        ):
            with pytest.raises(NoPermissionError):
                client.execute_command(*refused)


def send(product: Product) -> None:
    for number in range(_EVENTS):
        event = {"site": "example.com", "url": f"https://example.com/{number}"}
        request = urllib.request.Request(
            f"{product.edge_url}/track",
            json.dumps(event).encode(),
            {"Content-Type": "application/json", "User-Agent": "Mozilla/5.0 Firefox/140.0"},
        )
        until_known(request)


def until_known(request: urllib.request.Request) -> None:
    """A 202, once the edge has heard of the site."""
    deadline = time.monotonic() + _WITHIN_S
    while True:
        try:
            with urllib.request.urlopen(request, timeout=_WITHIN_S) as answer:
                assert answer.status == 202
                return
        except urllib.error.HTTPError as error:
            if error.code != 400 or time.monotonic() > deadline:
                raise
        time.sleep(0.2)


def wait_for(product: Product, events: int) -> None:
    deadline = time.monotonic() + _WITHIN_S
    with psycopg.connect(product.postgres_url, autocommit=True) as connection:
        while True:
            found = connection.execute("select count(*) from events").fetchone()
            if found and found[0] == events:
                return
            assert time.monotonic() < deadline, found
            time.sleep(0.2)
