"""`settings` shows what is in force, names what cannot be used, and its page is never stale."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from infrastructure.cli import cli
from infrastructure.local.folders import CHECKOUT, make_folder, state_folder
from infrastructure.local.post import Post
from infrastructure.local.running import put_running
from infrastructure.manifest import read_manifest
from infrastructure.settings_page import settings_page
from shared.settings import PREFIX, describe


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    monkeypatch.setattr(os, "environ", {**kept, "MILLRACE_STATE": str(tmp_path)})


def _settings(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["settings", *arguments])


def _row(variable: str) -> dict[str, Any]:
    shown = json.loads(_settings("--json", variable).stdout)
    (row,) = [row for row in shown["settings"] if row["variable"] == variable]
    return dict(row)


def test_the_reference_page_is_the_one_that_the_table_makes() -> None:
    page = (CHECKOUT / "infrastructure" / "docs" / "settings.md").read_text()
    assert page == settings_page(read_manifest()), "run `./run settings --markdown` into it"


def test_every_setting_stands_on_the_page_once_with_its_default() -> None:
    page = _settings("--markdown").stdout
    assert [row.variable for row in describe({}) if page.count(f"| `{row.variable}` |") != 1] == []
    assert "| `MILLRACE_EDGE_PORT` | `4001` |  | port to listen on |" in page


def test_each_says_its_value_source_default_unit_and_who_reads_it() -> None:
    os.environ["MILLRACE_SPOOL_TIMEOUT_S"] = "3"
    row = _row("MILLRACE_SPOOL_TIMEOUT_S")
    assert (row["value"], row["source"], row["default"], row["unit"], row["read_by"]) == (
        "3",
        "MILLRACE_SPOOL_TIMEOUT_S",
        "2.0",
        "s",
        ["edge", "drain"],
    )
    assert "MILLRACE_SPOOL_TIMEOUT_S=3" in _settings().stdout


def test_a_secret_is_never_shown_wherever_it_stands(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("redis://:hush@primary/0")
    os.environ["MILLRACE_PRIMARY_URL_FILE"] = str(tmp_path / "url")
    os.environ["MILLRACE_SPOOL_URL"] = "redis://:hush@spool/0"
    for arguments in ((), ("--json",)):
        assert "hush" not in _settings(*arguments).stdout
    assert _row("MILLRACE_PRIMARY_URL")["source"] == "MILLRACE_PRIMARY_URL_FILE"


def test_one_that_cannot_be_used_is_named_with_the_reason(tmp_path: Path) -> None:
    os.environ["MILLRACE_EDGE_PORT"] = "70000"
    os.environ["MILLRACE_SIGNING_KEY_FILE"] = str(tmp_path / "nowhere")
    shown = _settings()
    assert shown.exit_code == 1
    assert "cannot be used: Expected `int` <= 65535" in shown.stdout
    assert "No such file" in _row("MILLRACE_SIGNING_KEY")["fault"]


def test_a_variable_that_is_none_is_named_with_the_nearest() -> None:
    os.environ["MILLRACE_EDGE_PROT"] = "1"
    shown = _settings()
    assert (shown.exit_code, "did you mean MILLRACE_EDGE_PORT?" in shown.stdout) == (1, True)
    unknown = json.loads(_settings("--json").stdout)["unknown"]
    assert unknown == [{"variable": "MILLRACE_EDGE_PROT", "nearest": "MILLRACE_EDGE_PORT"}]


def test_what_runs_here_is_told_from_what_the_shell_says() -> None:
    folder = make_folder(state_folder("up"))
    put_running(folder, {"MILLRACE_API_PORT": "4999", "MILLRACE_EDGE_PORT": "4998"})
    os.environ["MILLRACE_EDGE_PORT"] = "5000"
    with Post(folder).held():
        assert "MILLRACE_API_PORT=4999" in _settings("api_port").stdout
        os.environ.pop("MILLRACE_API_PORT")
        assert _row("MILLRACE_API_PORT")["source"] == "what runs here"
    assert _row("MILLRACE_EDGE_PORT")["value"] == "5000"


def test_a_name_that_none_has_is_said() -> None:
    shown = _settings("nosuch")
    assert (shown.exit_code, "No setting has nosuch" in shown.stderr) == (1, True)
