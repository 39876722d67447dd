"""From what was asked to what is said: causes first, each with what to type where one stands."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge.drain.former_state import ANOTHERS, COMING_HOME, WAITING
from edge.servers.promise import Weakness, names
from infrastructure.manifest import read_manifest
from infrastructure.status.findings import Finding, find
from infrastructure.status.place import Place
from infrastructure.status.report import Report, Seen, ServerState, ServiceState, SpoolState

MANIFEST = read_manifest()
INSTALLED = Place("installed", {}, units=Path("/nowhere"))
SERVERS = [ServerState("primary", "10.0.0.5:6379", ""), ServerState("spool", "127.0.0.1:6379", "")]


def _service(name: str, state: str = "ready", **readiness: Any) -> ServiceState:
    return ServiceState(name, "edge", state, "", "127.0.0.1:4101", readiness)


def _report(**changes: Any) -> Report:
    services = [_service("edge", stores_at="primary"), _service("drain", primary_healthy=True)]
    report = Report("installed", services, SERVERS, None, None, None, None)
    return msgspec.structs.replace(report, **changes)


def _find(place: Place = INSTALLED, **changes: Any) -> list[Finding]:
    return find(_report(**changes), place, MANIFEST)


def _seen(**changes: Any) -> Seen:
    seen = Seen(100, told=0, loopback=0, private=0, one_address=9, headers={})
    return msgspec.structs.replace(seen, **changes)


def test_where_all_is_well_nothing_is_found() -> None:
    assert _find(seen=_seen(), spool=SpoolState(0, 10, None, 10**9, None), lag={"berlin": 3}) == []


@pytest.mark.parametrize("state", ["does not run", "hangs"])
def test_a_dead_service_is_started_by_its_unit_where_systemd_has_one(
    tmp_path: Path, state: str
) -> None:
    (tmp_path / "millrace-drain.service").touch()
    place = Place("installed", {}, units=tmp_path)
    [found] = _find(place, services=[_service("edge"), _service("drain", state)])
    assert found.next == "systemctl restart millrace-drain; journalctl -u millrace-drain -n 50"
    [found] = _find(services=[_service("edge"), _service("drain", state)])
    assert found.next == "start it: python -m edge.drain"


def test_a_service_with_a_name_in_the_plural_is_called_what_one_says() -> None:
    [found] = _find(services=[_service("edge"), _service("jobs", "does not run")])
    assert (found.about, found.says.partition(":")[0]) == ("jobs", "The jobs worker does not run")


def test_rollups_that_fall_behind_are_said_with_what_it_means() -> None:
    [found] = _find(services=[_service("writer", rollups="are 70 s behind")])
    assert found.says.startswith("The rollups are 70 s behind: panels are counted from rows")


def test_a_server_that_is_away_comes_before_what_follows_from_it() -> None:
    away = ServerState("primary", "10.0.0.5:6379", "cannot be reached")
    found = _find(servers=[away], services=[_service("edge", stores_at="spool")])
    assert [finding.about for finding in found] == ["primary", "edge"]
    assert found[0].says == "The primary (10.0.0.5:6379) cannot be reached."
    assert found[0].next.startswith("redis-cli -h 10.0.0.5 -p 6379 PING")


def test_a_redis_of_our_own_that_is_away_may_have_a_damaged_file(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    url = {"MILLRACE_SPOOL_URL": "redis://127.0.0.1:6379/0"}
    place = Place("up", url, tmp_path)
    away = ServerState("spool", "127.0.0.1:6379", "cannot be reached")
    [found] = _find(place, servers=[away])
    assert found.next.endswith(f" spool repair {tmp_path / 'spool'}")


def test_what_two_services_say_of_one_server_is_said_once() -> None:
    weak: dict[str, Any] = {"weaker_promises": {"spool": ["appendfsync everysec"]}}
    [found] = _find(services=[_service("edge", **weak), _service("drain", **weak)])
    assert found.next == "CONFIG SET appendfsync always"
    database = _service("writer", "not ready", weaker_promises={"database": ["fsync off"]})
    assert "ALTER SYSTEM SET fsync = on" in _find(services=[database])[-1].next


def test_a_redis_that_proves_its_writes_slowly_is_no_fault() -> None:
    slow: dict[str, Any] = {"weaker_promises": {"spool": names(Weakness.SLOW)}}
    [found] = _find(services=[_service("edge", **slow)])
    assert (found.next, found.is_fault) == ("CONFIG SET appendfsync always", False)


@pytest.mark.parametrize(
    ("spool", "says"),
    [
        (SpoolState(9, 10**9, None, 0, None), "The spool is full"),
        (SpoolState(9, 10**9, None, 10**6, 600.0), "full in 10 minutes"),
    ],
)
def test_a_spool_that_runs_full_is_a_fault(spool: SpoolState, says: str) -> None:
    [found] = _find(spool=spool)
    assert says in found.says
    assert found.is_fault


def test_a_service_that_is_not_ready_says_why() -> None:
    writer = _service("writer", "not ready", primary=True, database_trouble="disk_full")
    edge = _service("edge", "not ready", stores_at="nowhere")
    assert [finding.says for finding in _find(services=[writer, edge])] == [
        "The writer cannot store, the database says: disk full.",
        "The edge can store nowhere: beacons are answered with 503 and clients try again.",
    ]


@pytest.mark.parametrize(
    ("seen", "says", "step"),
    [
        (
            _seen(private=80, one_address=80, headers={"x-forwarded-for": 80}),
            "80 of the 100 beacons looked at lately seem to come from a private address: "
            "they arrived with X-Forwarded-For (80), and it was not believed.",
            "set MILLRACE_EDGE_TRUSTED_PROXIES to the proxy's network",
        ),
        (
            _seen(one_address=99, headers={"cf-connecting-ip": 99}),
            "99 of the 100 beacons looked at lately seem to come from one and the same address: "
            "they arrived with Cf-Connecting-Ip (99), and it was not believed.",
            "have it send X-Forwarded-For and name its network in MILLRACE_EDGE_TRUSTED_PROXIES",
        ),
        (
            _seen(told=100, private=70, headers={"x-forwarded-for": 100}),
            "X-Forwarded-For (100), and it was believed.",
            "if that is one more proxy, add its network to MILLRACE_EDGE_TRUSTED_PROXIES",
        ),
        (
            _seen(loopback=100, one_address=100),
            "no header names another",
            "if visitors come through a proxy",
        ),
    ],
)
def test_visitors_hidden_behind_a_proxy_are_a_warning_that_names_header_and_setting(
    seen: Seen, says: str, step: str
) -> None:
    [found] = _find(seen=seen)
    assert says in found.says
    assert step in found.next
    assert not found.is_fault


@pytest.mark.parametrize("state", [COMING_HOME, WAITING])
def test_what_a_former_name_of_an_edge_left_is_nothing_to_see_to_while_it_comes_home(
    state: str,
) -> None:
    assert _find(services=[_service("edge"), _service("drain", former_names={"old": state})]) == []


@pytest.mark.parametrize(
    ("state", "says", "step"),
    [
        (ANOTHERS, "Edge old has its spool", "MILLRACE_SPOOL_URL"),
        ("the primary refuses ingest:old (NOPERM)", "stays in the spool: the primary", "drain"),
    ],
)
def test_what_a_former_name_of_an_edge_left_and_cannot_be_sent_is_a_fault(
    state: str, says: str, step: str
) -> None:
    drain = _service("drain", former_names={"old": state})
    [found] = _find(services=[_service("edge"), drain])
    assert says in found.says
    assert step in found.next
    assert found.is_fault


def test_a_handful_of_beacons_proves_nothing() -> None:
    assert _find(seen=_seen(all=5, loopback=5)) == []


def test_a_host_of_which_nothing_is_known_is_a_fault_and_a_bare_shell_a_warning() -> None:
    [nothing] = _find(services=[], servers=[])
    assert nothing.is_fault
    [bare] = _find(servers=[])
    assert (bare.is_fault, "edge.env" in bare.next) == (False, True)


def test_a_step_in_the_demo_names_the_demo() -> None:
    place = Place("demo", {}, Path("/data"))
    [found] = _find(place, services=[_service("edge"), _service("drain", "does not run")])
    assert found.next == "./run logs drain --of demo"
