"""The manifest says what the code does."""

import msgspec
import pytest

from infrastructure.local.installation import chosen_ports, new_installation
from infrastructure.local.server import POSTGRES_SETTING, PRIMARY_SETTING, SPOOL_SETTING
from infrastructure.manifest import ServiceEntry, read_manifest
from shared.settings import load, variable

MANIFEST = read_manifest()
SERVICES = {entry.name: entry for entry in MANIFEST.services}
_NEEDED_SETTING = {
    "primary": PRIMARY_SETTING,
    "spool": SPOOL_SETTING,
    "postgres": POSTGRES_SETTING,
}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_reads_the_addresses_of_the_servers_it_needs_and_of_no_others(name: str) -> None:
    entry = SERVICES[name]
    read = {need for need, setting in _NEEDED_SETTING.items() if setting in entry.reads}
    assert read == set(entry.needs)


@pytest.mark.parametrize("name", SERVICES)
def test_the_manifests_ports_are_the_settings_defaults(name: str) -> None:
    entry = SERVICES[name]
    defaults = {
        variable(field.name): field.default
        for field in msgspec.structs.fields(entry.settings_group)
    }
    assert [defaults[port.setting] for port in entry.ports] == [port.number for port in entry.ports]


@pytest.mark.parametrize("name", SERVICES)
def test_a_new_installation_and_three_addresses_are_all_that_a_service_needs(name: str) -> None:
    entry = SERVICES[name]
    addresses = dict.fromkeys(_NEEDED_SETTING.values(), "redis://127.0.0.1")
    settings = {**new_installation(chosen_ports(MANIFEST)).settings(), **addresses}
    read = {key: value for key, value in settings.items() if key in entry.reads}
    load(entry.settings_group, read)


def test_an_edge_never_sees_the_database_or_a_private_key() -> None:
    secret = {POSTGRES_SETTING, "MILLRACE_SIGNING_KEY", "MILLRACE_SEAL_KEYS"}
    edges = [entry for entry in MANIFEST.services if entry.role == "edge"]
    assert edges
    assert not any(secret & entry.reads for entry in edges)


def test_no_two_services_share_a_port() -> None:
    numbers = [port.number for port in MANIFEST.ports]
    assert len(set(numbers)) == len(numbers)


def test_the_live_and_metrics_paths_are_those_of_the_ops_server() -> None:
    assert (MANIFEST.health.live, MANIFEST.health.metrics) == ("/healthz", "/metrics")


def test_an_unknown_field_in_the_manifest_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="colour"):
        msgspec.convert({"name": "edge", "colour": "red"}, ServiceEntry)
