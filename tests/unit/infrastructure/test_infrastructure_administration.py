"""Whose data a verb works on, and what it says where there is none."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infrastructure.administration import core_settings, say_whose_data
from infrastructure.local.folders import make_folder, state_folder
from infrastructure.local.post import Post
from infrastructure.local.running import put_running
from infrastructure.problem import Problem

SETTINGS = {"MILLRACE_POSTGRES_URL": "postgresql://127.0.0.1:1/none"}


@pytest.fixture(autouse=True)
def nothing_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_STATE", str(tmp_path))
    # What use_running() puts there goes with the test.
    monkeypatch.setenv("MILLRACE_POSTGRES_URL", "")
    monkeypatch.delenv("MILLRACE_POSTGRES_URL")


@contextmanager
def running(purpose: str) -> Iterator[None]:
    folder = make_folder(state_folder(purpose))
    with Post(folder).held():
        put_running(folder, SETTINGS)
        yield


def test_where_nothing_runs_the_command_that_starts_it_is_named() -> None:
    with pytest.raises(Problem, match="up"):
        core_settings()


def test_settings_come_from_what_runs_here() -> None:
    with running("up"):
        assert core_settings().postgres_url == SETTINGS["MILLRACE_POSTGRES_URL"]


def test_who_adds_something_while_only_the_demo_runs_is_told_where_it_goes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with running("demo"):
        say_whose_data()
    assert "the demo's own data" in capsys.readouterr().err


def test_nothing_is_said_beside_up_or_with_a_database_that_was_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with running("demo"), running("up"):
        say_whose_data()
    monkeypatch.setenv("MILLRACE_POSTGRES_URL", "postgresql://mine")
    with running("demo"):
        say_whose_data()
    assert capsys.readouterr().err == ""
