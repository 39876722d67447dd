"""What is rendered from the manifest stands in the checkout as it would be rendered now."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from click.testing import CliRunner

from infrastructure.cli import cli
from infrastructure.manifest import read_manifest
from infrastructure.render import files
from infrastructure.render.files import INFRASTRUCTURE, rendered, stale
from shared.settings import BadSettings, load

MANIFEST = read_manifest()
TEXTS = {str(path): text for path, text in rendered(MANIFEST).items()}
COMPOSE = [name for name in TEXTS if name.startswith("compose/")]
ROLES = ("edge", "core")


def test_no_rendered_file_is_stale() -> None:
    assert stale(MANIFEST) == []


def test_another_port_in_the_manifest_makes_unit_compose_and_proxies_stale() -> None:
    edge = next(entry for entry in MANIFEST.services if entry.name == "edge")
    assert edge.port is not None
    moved = msgspec.structs.replace(
        edge,
        port=msgspec.structs.replace(edge.port, number=5001),
        ops=msgspec.structs.replace(edge.ops, number=5101),
    )
    services = tuple(moved if entry is edge else entry for entry in MANIFEST.services)
    changed = msgspec.structs.replace(MANIFEST, services=services)
    texts = {str(path): text for path, text in rendered(changed).items()}
    for name in ("systemd/millrace-edge.service", "compose/edge.yaml"):
        assert "5101" in texts[name]
    for name in ("proxy/edge.caddy", "proxy/edge.nginx.conf"):
        assert "127.0.0.1:5001" in texts[name]


def test_render_mends_what_is_stale_removes_a_lost_services_unit_and_check_only_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in TEXTS.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "systemd/millrace-gone.service").touch()
    (tmp_path / "proxy/edge.caddy").write_text("by hand")
    monkeypatch.setattr(files, "INFRASTRUCTURE", tmp_path)
    monkeypatch.setattr("infrastructure.verbs.render.INFRASTRUCTURE", tmp_path)
    check = CliRunner().invoke(cli, ["render", "--check"])
    assert check.exit_code == 1
    assert "infrastructure/proxy/edge.caddy" in check.output
    assert (tmp_path / "proxy/edge.caddy").read_text() == "by hand"
    assert CliRunner().invoke(cli, ["render"]).exit_code == 0
    assert not (tmp_path / "systemd/millrace-gone.service").exists()
    assert CliRunner().invoke(cli, ["render", "--check"]).exit_code == 0


@pytest.mark.parametrize("entry", MANIFEST.services, ids=lambda entry: str(entry.name))
def test_every_service_has_a_unit_and_a_container_on_the_host_of_its_role(entry: Any) -> None:
    unit = TEXTS[f"systemd/millrace-{entry.name}.service"]
    assert f"EnvironmentFile=/etc/millrace/{entry.role}.env" in unit
    assert f" -m {entry.command[-1]}\n" in unit
    for role in ROLES:
        services = yaml.safe_load(TEXTS[f"compose/{role}.yaml"])["services"]
        assert (entry.name in services) == (role == entry.role)


@pytest.mark.parametrize("role", ROLES)
def test_an_environment_file_names_each_setting_of_its_host_and_lacks_only_what_must_be_filled_in(
    role: str,
) -> None:
    text = TEXTS[f"systemd/{role}.env"]
    set_here = dict(re.findall(r"^(MILLRACE_\w+)=(.*)$", text, re.MULTILINE))
    offered = re.findall(r"^#(MILLRACE_\w+)=", text, re.MULTILINE)
    groups = {entry.settings_group for entry in MANIFEST.services if entry.role == role}
    for group in groups:
        with pytest.raises(BadSettings) as problem:
            load(group, {})
        for name in re.findall(r"^(MILLRACE_\w+) is not set", str(problem.value), re.MULTILINE):
            assert set_here[name] == ""
    read = {name for e in MANIFEST.services if e.role == role for name in e.reads}
    assert {*set_here, *offered} == {name for name in read if not name.endswith("_FILE")}


def test_an_edge_host_is_never_given_the_database_or_a_private_key() -> None:
    for name in ("systemd/edge.env", "compose/edge.yaml"):
        for secret in ("POSTGRES", "SIGNING_KEY", "SEAL_KEYS"):
            assert secret not in TEXTS[name]


@pytest.mark.parametrize("name", COMPOSE)
def test_every_redis_syncs_before_it_answers_and_evicts_nothing(name: str) -> None:
    services = yaml.safe_load(TEXTS[name])["services"]
    commands = [each["command"] for each in services.values() if "redis" in each["image"]]
    assert commands
    for command in commands:
        options = dict(zip(command[1::2], command[2::2], strict=True))
        assert options["--appendonly"] == "yes"
        assert options["--appendfsync"] == "always"
        assert options["--maxmemory-policy"] == "noeviction"


@pytest.mark.parametrize("name", COMPOSE)
def test_a_server_is_published_on_a_private_address_only(name: str) -> None:
    for service in yaml.safe_load(TEXTS[name])["services"].values():
        for port in service.get("ports", []):
            assert port.startswith(("127.0.0.1:", "${PRIMARY_ADDRESS:?}:"))


@pytest.mark.parametrize("name", COMPOSE)
def test_volumes_and_dependencies_of_a_compose_file_are_in_it(name: str) -> None:
    whole = yaml.safe_load(TEXTS[name])
    for service in whole["services"].values():
        for volume in service["volumes"]:
            assert volume.partition(":")[0] in whole["volumes"]
        assert set(service.get("depends_on", {})) <= set(whole["services"])


def test_the_image_is_made_by_the_dockerfile_that_the_compose_files_name() -> None:
    for role in ROLES:
        services = yaml.safe_load(TEXTS[f"compose/{role}.yaml"])["services"]
        built = [service["build"] for service in services.values() if "build" in service]
        assert built
        for build in built:
            root = (INFRASTRUCTURE / "compose" / build["context"]).resolve()
            assert (root / build["dockerfile"]).is_file()
            assert build["args"] == {"ROLE": role}
