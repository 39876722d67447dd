"""Who runs the product of a purpose, and how other verbs find it."""

import os
from pathlib import Path

import pytest

from infrastructure.local.folders import make_folder, state_folder
from infrastructure.local.post import Post
from infrastructure.local.running import put_running, read_running, use_running
from infrastructure.problem import Problem


@pytest.fixture(autouse=True)
def up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MILLRACE_STATE", str(tmp_path))
    return make_folder(state_folder("up"))


def test_a_post_is_held_by_one_process_at_a_time(up: Path) -> None:
    with Post(up).held():
        assert Post(up).pid() == os.getpid()
        with pytest.raises(Problem, match="up already"), Post(up).held():
            pass
    assert Post(up).pid() is None


def test_nobody_holds_a_post_that_never_was(up: Path) -> None:
    assert Post(up).pid() is None


def test_settings_of_what_runs_are_only_for_their_owner(up: Path) -> None:
    put_running(up, {"MILLRACE_API_PORT": "1"})
    assert (up / "settings.json").stat().st_mode & 0o777 == 0o600


def test_what_a_killed_supervisor_left_behind_is_not_believed(up: Path) -> None:
    put_running(up, {"MILLRACE_API_PORT": "1"})
    assert read_running(up) is None


def test_the_environment_wins_over_what_runs_here(
    up: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "environ", {**os.environ, "MILLRACE_API_PORT": "4"})
    put_running(up, {"MILLRACE_API_PORT": "1", "MILLRACE_REALTIME_PORT": "2"})
    with Post(up).held():
        use_running()
    assert os.environ["MILLRACE_API_PORT"] == "4"
    assert os.environ["MILLRACE_REALTIME_PORT"] == "2"
