"""`logs` reads what services and servers wrote as one log, in the order of time, and follows it."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from infrastructure.cli import cli
from infrastructure.local.folders import CHECKOUT, make_folder, state_folder
from infrastructure.logs.file import LogFile


@pytest.fixture
def up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MILLRACE_STATE", str(tmp_path))
    folder = state_folder("up")
    make_folder(folder / "logs")
    return folder


def _said(at: str, message: str, **more: str) -> str:
    line = {"time": f"2026-07-01T{at}Z", "level": "info", "service": "s", "message": message}
    return json.dumps({**line, **more}) + "\n"


def _write(folder: Path, name: str, *lines: str) -> Path:
    path = folder / name
    make_folder(path.parent)
    with path.open("a") as file:
        file.writelines(lines)
    return path


def _logs(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["logs", *arguments])


def _messages(result: Result) -> list[str]:
    return [" ".join(line.split()[2:]) for line in result.stdout.splitlines()]


def test_all_logs_are_shown_as_one_in_the_order_of_time(up: Path) -> None:
    _write(up, "logs/edge.log", _said("10:00:01.000", "one"), _said("10:00:03.500", "three"))
    _write(up, "logs/writer.log", _said("10:00:02.000", "two"))
    _write(up, "postgres/postgres.log", "2026-07-01 10:00:04.250 GMT [7] LOG:  four\n")
    shown = _logs()
    assert _messages(shown) == [
        "edge info one",
        "writer info two",
        "edge info three",
        "database [7] LOG: four",
    ]
    assert shown.stdout.startswith("2026-07-01 10:00:01.000Z  edge")


def test_a_redis_writes_in_the_machines_zone_and_is_shown_in_utc(up: Path) -> None:
    at = datetime(2026, 7, 1, 10, 0, tzinfo=UTC)
    local = at.astimezone().strftime("%d %b %Y %H:%M:%S.000")
    _write(up, "primary/redis.log", f"12:M {local} * Ready to accept connections\n")
    assert _logs().stdout.startswith("2026-07-01 10:00:00.000Z  primary")


def test_only_the_named_are_shown_and_no_more_lines_than_asked_for(up: Path) -> None:
    for minute in range(5):
        _write(up, "logs/edge.log", _said(f"10:0{minute}:00.000", f"edge {minute}"))
        _write(up, "logs/jobs.log", _said(f"10:0{minute}:30.000", f"jobs {minute}"))
    assert _messages(_logs("-n", "3")) == [
        "jobs info jobs 3",
        "edge info edge 4",
        "jobs info jobs 4",
    ]
    assert _messages(_logs("-n", "1", "edge")) == ["edge info edge 4"]
    assert _logs("-n", "0").stdout == ""


def test_a_line_without_a_time_stays_below_the_one_before_it(up: Path) -> None:
    _write(up, "logs/edge.log", _said("10:00:01.000", "one"), "  of which more\n")
    _write(up, "logs/writer.log", _said("10:00:02.000", "two", trace="a\nb"))
    assert [line[40:].strip() for line in _logs().stdout.splitlines()][1] == "of which more"
    assert _logs("writer").stdout.splitlines()[1:] == ["    a", "    b"]


def test_what_a_stranger_made_a_service_log_cannot_drive_the_terminal(up: Path) -> None:
    _write(up, "logs/edge.log", _said("10:00:01.000", "\x1b[2Jgone"), "\x1b[2Jraw\n")
    assert "\x1b" not in _logs().stdout
    assert _logs("--raw").stdout.splitlines()[0] == _said("10:00:01.000", "\x1b[2Jgone").strip()


def test_a_name_that_is_none_and_logs_that_are_not_there_are_said(up: Path) -> None:
    unknown, none = _logs("edges"), _logs("writer")
    assert (unknown.exit_code, "no log of edges; there are writer" in unknown.stderr) == (1, True)
    assert (none.exit_code, "start it with `./run up`" in none.stderr) == (1, True)


def test_logs_in_which_nothing_stands_yet_are_said_to_be_empty(up: Path) -> None:
    _write(up, "logs/api.log")
    shown = _logs("api")
    assert (shown.exit_code, shown.stdout) == (0, "")
    assert "Nothing has been written there yet." in shown.stderr


def test_the_end_of_a_long_log_is_read_without_its_beginning(up: Path) -> None:
    path = _write(up, "logs/edge.log", *[_said("10:00:01.000", f"n {n}") for n in range(5_000)])
    last = LogFile("edge", path).last(2_000)
    assert (len(last), last[-1].text) == (2_000, "info     n 4999")


def test_what_is_added_is_seen_once_it_is_whole_and_after_the_file_was_begun_anew(
    up: Path,
) -> None:
    path = _write(up, "logs/edge.log", _said("10:00:01.000", "one"), "half ")
    log = LogFile("edge", path)
    assert [line.text for line in log.last(10)] == ["info     one"]
    assert log.added() == []
    _write(up, "logs/edge.log", "a line\n")
    assert [line.text for line in log.added()] == ["half a line"]
    path.write_text("anew\n")
    assert [line.text for line in log.added()] == ["anew"]


def test_following_shows_what_is_added_until_it_is_interrupted(up: Path) -> None:
    _write(up, "logs/edge.log", _said("10:00:01.000", "one"))
    command = [sys.executable, "-u", "-P", "-m", "infrastructure.cli", "logs", "-f", "edge", "jobs"]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        assert "one" in following.stdout.readline()
        _write(up, "logs/jobs.log", _said("10:00:02.000", "two"))
        assert "jobs  info     two" in following.stdout.readline()
        following.send_signal(signal.SIGINT)
        assert following.wait(120) == 0
