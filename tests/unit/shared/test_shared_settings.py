"""Settings: typed, checked at start, the faulty one named."""

from pathlib import Path

import pytest

from shared.settings import BadSettings, EdgeSettings, describe, load

SOUND = {
    "MILLRACE_EDGE_NAME": "fra1",
    "MILLRACE_PRIMARY_URL": "redis://:secret@core:6380/0",
    "MILLRACE_SPOOL_URL": "redis://127.0.0.1:6381/0",
    "MILLRACE_CORE_VERIFY_KEY": "k",
    "MILLRACE_SEAL_PUBLIC_KEY": "id:k",
}


def test_values_are_typed_and_defaults_fill_the_rest() -> None:
    settings = load(
        EdgeSettings,
        SOUND
        | {
            "MILLRACE_EDGE_WORKERS": "3",
            "MILLRACE_EDGE_TRUSTED_PROXIES": "10.0.0.0/8, ::1",
            "MILLRACE_EDGE_STATE_DIR": "/srv/edge",
            "PATH": "/bin",
        },
    )
    assert settings.edge_workers == 3
    assert settings.edge_trusted_proxies == ("10.0.0.0/8", "::1")
    assert settings.edge_state_dir == Path("/srv/edge")
    assert settings.edge_port == 4001


def test_every_fault_is_named_at_once_and_an_unknown_variable_with_its_neighbour() -> None:
    environ = SOUND | {"MILLRACE_EDGE_PORT": "99999", "MILLRACE_EDGE_PROT": "1"}
    del environ["MILLRACE_SPOOL_URL"]
    with pytest.raises(BadSettings) as caught:
        load(EdgeSettings, environ)
    message = str(caught.value)
    assert "MILLRACE_EDGE_PORT: " in message
    assert "MILLRACE_EDGE_PROT is not a setting; did you mean MILLRACE_EDGE_PORT?" in message
    assert "MILLRACE_SPOOL_URL is not set: local append-only Redis" in message


def test_a_secret_is_read_from_a_file_and_never_shown(tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text("redis://:hunter2@core/0\n")
    environ = {"MILLRACE_PRIMARY_URL_FILE": str(secret)}
    [row] = [row for row in describe(environ) if row.variable == "MILLRACE_PRIMARY_URL"]
    assert row.source == "MILLRACE_PRIMARY_URL_FILE"
    assert "hunter2" not in row.value
    without_url = {k: v for k, v in SOUND.items() if k != "MILLRACE_PRIMARY_URL"}
    assert load(EdgeSettings, without_url | environ).primary_url == "redis://:hunter2@core/0"


def test_a_missing_secret_file_is_a_fault_not_a_crash(tmp_path: Path) -> None:
    without_url = {k: v for k, v in SOUND.items() if k != "MILLRACE_PRIMARY_URL"}
    with pytest.raises(BadSettings, match="MILLRACE_PRIMARY_URL"):
        load(EdgeSettings, without_url | {"MILLRACE_PRIMARY_URL_FILE": str(tmp_path / "none")})


def test_every_setting_says_what_it_means() -> None:
    rows = list(describe({}))
    assert all(row.meaning for row in rows)
    assert len({row.variable for row in rows}) == len(rows)
