"""`status` on a running product: every process killed in turn, every fault with what to type."""

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
import psycopg
import pytest
from click.testing import CliRunner, Result

from api.database import open_transaction
from api.sites import put_site
from infrastructure.cli import cli
from infrastructure.local.folders import make_folder, state_folder
from infrastructure.local.installation import chosen_ports, new_installation
from infrastructure.local.post import Post
from infrastructure.local.postgres_server import PostgresServer
from infrastructure.local.product import Product, make_product
from infrastructure.local.redis_server import RedisServer
from infrastructure.local.running import drop_running, put_running
from infrastructure.local.server import POSTGRES_SETTING, GivenServer, Server
from infrastructure.local.stack import LocalStack
from infrastructure.manifest import read_manifest
from shared.errors import Refusal
from shared.settings import PREFIX

SERVICES = [entry.name for entry in read_manifest().services]
_WITHIN_S = 120.0


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting but those of what runs."""
    for name in list(os.environ):
        if name.startswith(PREFIX) and name != "MILLRACE_CACHE":
            monkeypatch.delenv(name)


@pytest.fixture
def folder(
    scratch: Path, bare: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """Where `up` keeps its data, with somebody at the post."""
    monkeypatch.setenv("MILLRACE_STATE", str(make_folder(scratch / tmp_path.name)))
    folder = make_folder(state_folder("up"))
    with Post(folder).held():
        yield folder


@pytest.fixture
def up(folder: Path, database: str, redis_server: Callable[..., RedisServer]) -> Iterator[Product]:
    """The product as `up` runs it, but that nothing is started again."""
    with _product(folder, GivenServer(database, POSTGRES_SETTING), redis_server) as product:
        yield product


def _product(folder: Path, database: Server, redis_server: Callable[..., RedisServer]) -> Product:
    stack = LocalStack(redis_server(), redis_server(), database)
    changes = {"MILLRACE_GEO_REFRESH": "false", "MILLRACE_WRITER_ANSWER_S": "2"}
    installation = new_installation(chosen_ports(read_manifest()))
    return make_product(folder, installation, stack, changes=changes)


def _status(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["status", *arguments])


def _read() -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(_status("--json").stdout)
    return shown


def _find(about: str, words: str = "") -> dict[str, Any]:
    """The finding, once it is there."""
    deadline = monotonic() + _WITHIN_S
    while monotonic() < deadline:
        findings = _read()["places"][0]["findings"]
        for finding in findings:
            if finding["about"] == about and words in finding["says"]:
                return dict(finding)
        sleep(0.2)
    raise AssertionError(findings)


def _wait_until_well() -> None:
    deadline = monotonic() + _WITHIN_S
    while (shown := _read()) and not shown["well"]:
        assert monotonic() < deadline, shown["places"][0]["findings"]
        sleep(0.2)


def test_each_killed_service_is_named_with_the_command_to_type_and_the_exit_code_is_1(
    up: Product,
) -> None:
    _wait_until_well()
    _wait_for(lambda: _status().exit_code == 0)
    for service in up.services:
        service.kill()
        finding = _find(service.name, "does not run")
        assert finding["next"] == f"./run logs {service.name}"
        shown = _status()
        says, _, _ = finding["says"].partition(":")
        assert (shown.exit_code, says in shown.stdout) == (1, True)
        service.start()
        service.wait_until_ready()
    _wait_until_well()


def test_a_service_that_hangs_is_told_from_one_that_is_gone(up: Product) -> None:
    api = up.services["api"]
    api.pause()
    try:
        assert "hangs" in _find("api")["says"]
    finally:
        api.resume()


def test_an_outage_of_the_primary_is_named_first_and_what_waits_is_shown(up: Product) -> None:
    _wait_until_well()
    _send(up, 1)
    up.stack.primary.kill()
    finding = _find("edge", "Beacons go to the spool")
    assert finding["next"] == "./run logs drain"
    assert _read()["places"][0]["findings"][0]["about"] == "primary"
    _send(up, 3)
    _wait_for(lambda: _read()["places"][0]["spool"]["batches"] > 0)
    assert _read()["places"][0]["spool"]["oldest_at"]
    up.stack.primary.start()
    _wait_until_well()
    _wait_for(lambda: _read()["places"][0]["spool"]["batches"] == 0)


def test_a_database_that_hangs_or_is_gone_is_named_before_the_services_that_need_it(
    folder: Path, postgres_server: PostgresServer, redis_server: Callable[..., RedisServer]
) -> None:
    with _product(folder, postgres_server, redis_server) as up:
        _wait_until_well()
        postgres_server.pause()
        assert "does not answer" in _find("database")["says"]
        postgres_server.resume()
        _wait_until_well()
        postgres_server.kill()
        for service in ("writer", "api"):
            _find(service)
        first = _read()["places"][0]["findings"][0]
        assert (first["about"], first["next"].split(" ")[0]) == ("database", "pg_isready")
        postgres_server.start()
        _wait_until_well()
        up.services["writer"].wait_until_ready()


def test_a_weaker_promise_is_a_fault_with_its_remedy(up: Product) -> None:
    assert isinstance(up.stack.spool, RedisServer)
    with up.stack.spool.client() as client:
        client.config_set("appendfsync", "everysec")
        finding = _find("spool", "appendfsync everysec")
        assert finding["next"] == "CONFIG SET appendfsync always"
        assert finding["is_fault"]
        client.config_set("appendfsync", "always")
    _wait_until_well()


def test_losses_silent_edges_and_what_is_set_aside_are_found_in_the_database(up: Product) -> None:
    with psycopg.connect(up.postgres_url, autocommit=True) as db:
        db.execute(
            "insert into edge (edge, last_heard, spooled_batches)"
            " values ('far', now() - interval '1 hour', 7)"
        )
        db.execute("insert into boot (edge, boot, lost) values ('far', 1, '{[3,5)}')")
        db.execute(
            "insert into quarantine (edge, reason, sealed, commit_no)"
            " values ('far', 'unreadable', '', 1)"
        )
    assert _find("edges", "far is silent since")["next"].endswith("./run edge retire far")
    assert _find("ledger", "2 batches that the edge far acknowledged are lost")["next"] == (
        "./run ledger --edge far"
    )
    held = _find("quarantine", "1 unreadable")
    assert (held["next"], held["is_fault"]) == ("./run quarantine list", False)
    assert "2 lost. Quarantine: 1 held." in _status().stdout


def test_beacons_behind_an_untrusted_proxy_are_warned_of_and_the_header_is_named(
    up: Product,
) -> None:
    _wait_until_well()
    _send(up, 30, {"x-forwarded-for": "93.184.216.34"})
    finding = _find("addresses")
    assert "loopback" in finding["says"]
    assert "X-Forwarded-For (" in finding["says"]
    assert "not believed" in finding["says"]
    assert "MILLRACE_EDGE_TRUSTED_PROXIES to 127.0.0.1/32" in finding["next"]
    assert not finding["is_fault"]
    _wait_for(lambda: _status().exit_code == 0)


def test_an_installed_host_is_asked_by_its_settings(
    up: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop_running(up.folder)
    for name, value in up.settings.items():
        monkeypatch.setenv(name, value)
    shown = _read()["places"][0]
    assert shown["where"] == "installed"
    assert [service["name"] for service in shown["services"]] == SERVICES
    up.services["writer"].kill()
    assert _find("writer")["next"] == "start it: python -m writer"
    put_running(up.folder, up.settings)


def test_where_nothing_runs_that_is_said_with_what_to_type(
    bare: None, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILLRACE_STATE", str(scratch / "empty"))
    shown = _status()
    assert (shown.exit_code, "start it with `./run up`" in shown.stdout) == (1, True)
    assert json.loads(_status("--json").stdout) == {"well": False, "places": []}


def _send(product: Product, beacons: int, headers: dict[str, str] | None = None) -> None:
    asyncio.run(_make_site(product.postgres_url))
    body = json.dumps({"site": "shop.example", "url": "https://shop.example/"})
    wanted = {"content-type": "text/plain", "user-agent": "Mozilla/5.0", **(headers or {})}

    def send() -> bool:
        answer = httpx.post(f"{product.edge_url}/track", content=body, headers=wanted, timeout=60)
        return answer.status_code == 202

    for _ in range(beacons):
        _wait_for(send)


async def _make_site(postgres_url: str) -> None:
    with suppress(Refusal):
        async with open_transaction(postgres_url) as db:
            await put_site(db, "shop.example", {"time_zone": "UTC"}, datetime.now(UTC))


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = monotonic() + _WITHIN_S
    while not condition():
        assert monotonic() < deadline
        sleep(0.1)
