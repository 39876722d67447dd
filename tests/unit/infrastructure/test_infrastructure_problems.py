"""What stands in the way is said in one sentence that names what to do, and the exit code is 1."""

import errno
import os
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from infrastructure.cli import cli
from infrastructure.local import debian, ports
from infrastructure.local import server_programs as programs
from infrastructure.local.account import Account
from infrastructure.local.apt_sources import Source
from infrastructure.local.cache import cached
from infrastructure.local.debian import unpack
from infrastructure.local.folders import CHECKOUT
from infrastructure.local.installation import chosen_ports, open_installation
from infrastructure.local.ports import Wanted, check_free, free_ports
from infrastructure.local.server_programs import ServerPrograms
from infrastructure.manifest import Manifest, ManifestPort, ServiceEntry, read_manifest
from infrastructure.problem import Problem


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MILLRACE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_taken_port_names_who_wanted_it_and_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Problem, match=rf"Port {port}, wanted for the edge.*--free-ports"):
            check_free([Wanted(port, "the edge", "MILLRACE_EDGE_PORT")])


def test_an_installation_is_not_opened_on_taken_ports(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        manifest = _with_edge_port(taken.getsockname()[1])
        with pytest.raises(Problem, match="MILLRACE_EDGE_PORT"):
            open_installation(tmp_path, manifest, {})
        kept = open_installation(tmp_path, manifest, {}, free=True)
        assert kept.ports["MILLRACE_EDGE_PORT"] != taken.getsockname()[1]


def test_ports_of_the_environment_are_taken_and_the_addresses_follow(tmp_path: Path) -> None:
    edge, api, live, ops = given_ports = free_ports(4)
    given = {
        "MILLRACE_EDGE_PORT": str(edge),
        "MILLRACE_API_PORT": str(api),
        "MILLRACE_REALTIME_PORT": str(live),
        "MILLRACE_WRITER_PORT": str(ops),
    }
    for free in (False, True):
        manifest = _with_edge_port(free_ports(1, given_ports)[0], given_ports)
        opened = open_installation(tmp_path, manifest, given, free=free)
        settings = opened.settings()
        assert given.items() <= settings.items()
        assert settings["MILLRACE_EDGE_URL"] == f"http://127.0.0.1:{edge}"
        assert settings["MILLRACE_API_URL"] == f"http://127.0.0.1:{api}"
        assert settings["MILLRACE_LIVE_URL"] == f"ws://127.0.0.1:{live}/live"


def test_no_two_of_an_installation_choose_one_port(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = free_ports(16)
    monkeypatch.setattr(ports, "_CHOICE", choice)
    given = {"MILLRACE_EDGE_PORT": str(choice[0])}
    for number in range(20):
        opened = open_installation(tmp_path / str(number), read_manifest(), given, free=True)
        taken = [*opened.ports.values(), *opened.stack.ports]
        assert len(set(taken)) == len(taken)


def test_a_taken_port_of_the_environment_names_its_setting_as_the_way_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        given = {"MILLRACE_EDGE_PORT": str(taken.getsockname()[1])}
        with pytest.raises(Problem, match="another number in MILLRACE_EDGE_PORT") as problem:
            open_installation(tmp_path, read_manifest(), given, free=True)
    assert "--free-ports" not in str(problem.value)


@pytest.mark.parametrize("text", ["none", "0", "65536", "", "4001.5"])
def test_a_port_that_is_none_is_said_to_be_none(tmp_path: Path, text: str) -> None:
    with pytest.raises(Problem, match="MILLRACE_API_PORT is no port"):
        open_installation(tmp_path, read_manifest(), {"MILLRACE_API_PORT": text}, free=True)


def test_one_port_for_two_is_said_before_anything_starts(tmp_path: Path) -> None:
    port = str(free_ports(1)[0])
    given = {"MILLRACE_API_PORT": port, "MILLRACE_REALTIME_PORT": port}
    with pytest.raises(Problem, match=rf"{port} is wanted for the api .* and for the realtime"):
        open_installation(tmp_path, read_manifest(), given, free=True)


def test_an_installation_keeps_its_secrets_in_a_file_only_its_owner_reads(tmp_path: Path) -> None:
    first = open_installation(tmp_path, read_manifest(), {}, free=True)
    again = open_installation(tmp_path, read_manifest(), {}, free=True)
    assert (first.signing_key, first.stack) == (again.signing_key, again.stack)
    assert (tmp_path / "installation.json").stat().st_mode & 0o777 == 0o600
    assert first.stack.redis_password not in repr(first.stack)


def test_a_full_disk_names_the_variable_that_moves_the_cache(cache: Path) -> None:
    def fill(_temporary: Path, _final: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(Problem, match=r"no space left for .*MILLRACE_CACHE"):
        cached("thing", fill)
    assert [path.name for path in cache.iterdir()] == ["thing.lock"]


def test_a_cache_that_cannot_be_made_names_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MILLRACE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(Problem, match="MILLRACE_CACHE"):
        cached("thing", lambda temporary, final: None)


def test_an_interrupted_making_leaves_nothing_that_looks_whole(cache: Path) -> None:
    def interrupted(temporary: Path, _final: Path) -> None:
        (temporary / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached("thing", interrupted)
    made = cached("thing", lambda temporary, final: (temporary / "whole").touch())
    assert [path.name for path in made.iterdir()] == ["whole"]
    assert made == cache / "thing"


def test_a_mirror_out_of_reach_says_to_check_the_network(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    nowhere = f"http://127.0.0.1:{free_ports(1)[0]}/debian"
    source = Source(nowhere, "trixie")
    cache.mkdir()
    (cache / "servers").mkdir()
    with pytest.raises(Problem, match=r"Redis cannot be fetched .*check the network"):
        unpack(debian.Wanted("Redis", ["redis-server"], [source]), cache / "servers")
    assert not (cache / "servers.apt").exists()


def test_without_binaries_and_apt_the_compose_file_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(programs, "has_debian_tools", lambda: False)
    monkeypatch.setattr(programs, "machine_postgres", lambda: None)
    with pytest.raises(Problem, match=r"infrastructure/compose/servers\.yaml") as problem:
        programs.server_programs()
    assert "\n" not in str(problem.value)
    assert (CHECKOUT / "infrastructure/compose/servers.yaml").is_file()


def test_suitable_programs_on_the_machine_are_used_and_nothing_is_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(programs, "has_debian_tools", lambda: False)
    monkeypatch.setattr(programs, "machine_postgres", lambda: Path("/pg/bin"))
    monkeypatch.setattr(programs, "machine_redis", lambda: Path("/redis"))
    assert programs.server_programs() == ServerPrograms(Path("/pg/bin"), Path("/redis"))


def test_no_python_that_suits_is_said_before_anything_is_made(tmp_path: Path) -> None:
    (tmp_path / "dirname").symlink_to("/usr/bin/dirname")
    ran = subprocess.run(
        ["/bin/sh", CHECKOUT / "run", "test"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert "Python 3.11" in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_a_folder_that_the_servers_user_cannot_enter_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(Problem, match=r"nobody, who may not enter .*MILLRACE_STATE"):
        Account("nobody", 65534, 65534).check_reach(closed)


def test_a_problem_in_a_verb_is_one_line_and_exit_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILLRACE_STATE", str(tmp_path))
    ran = CliRunner().invoke(cli, ["logs"])
    assert ran.exit_code == 1
    assert ran.stderr.startswith("Error: There are no logs in ")
    assert ran.stderr.count("\n") == 1


def test_a_faulty_setting_is_named_by_a_verb(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = _with_setting(monkeypatch, "MILLRACE_API_PORT", "none")
    assert ran.exit_code == 1
    assert "MILLRACE_API_PORT" in ran.stderr


def test_an_unknown_setting_gets_the_nearest_name(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = _with_setting(monkeypatch, "MILLRACE_API_PROT", "4003")
    assert "did you mean MILLRACE_API_PORT" in ran.stderr


def _with_setting(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> Result:
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("MILLRACE_POSTGRES_URL", "postgresql://127.0.0.1/none")
    return CliRunner().invoke(cli, ["migrate"])


def _with_edge_port(number: int, beside: Sequence[int] = ()) -> Manifest:
    manifest = read_manifest()
    ports = chosen_ports(manifest, (*beside, number))
    ports["MILLRACE_EDGE_PORT"] = number
    services = tuple(_moved(entry, ports) for entry in manifest.services)
    return Manifest(manifest.health, services)


def _moved(entry: ServiceEntry, ports: dict[str, int]) -> ServiceEntry:
    def moved(port: ManifestPort) -> ManifestPort:
        return ManifestPort(port.setting, ports[port.setting])

    port = moved(entry.port) if entry.port else None
    return msgspec.structs.replace(entry, ops=moved(entry.ops), port=port)
