"""What the demo says before, while and after it runs."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from infrastructure.demo import screen as screen_module
from infrastructure.demo.account import Account
from infrastructure.demo.plan import NODE, PARTS, say_plan
from infrastructure.demo.screen import Screen, account_table, one_line
from infrastructure.demo.sight import Sight
from infrastructure.traffic.send_log import SendLog


def plan(cache: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("MILLRACE_CACHE", str(cache))
    shown = io.StringIO()
    say_plan(Console(file=shown, width=200), Path("/the/state"))
    return shown.getvalue()


def test_the_plan_names_each_missing_part_with_its_size_and_every_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = plan(tmp_path, monkeypatch)
    for part in PARTS:
        assert f"{part.what}: {part.download_mb} MB" in shown
    assert str(tmp_path) in shown
    assert "/the/state" in shown


def test_the_plan_counts_node_where_the_machine_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert NODE.what in plan(tmp_path, monkeypatch)


def test_the_plan_says_when_nothing_has_to_be_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part in PARTS:
        (tmp_path / part.files.replace("*", "1")).mkdir()
    assert "Nothing has to be downloaded" in plan(tmp_path, monkeypatch)


def test_a_download_that_broke_off_is_still_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "servers-trixie-1.part-x").mkdir()
    (tmp_path / "servers-trixie-1.lock").touch()
    assert "PostgreSQL" in plan(tmp_path, monkeypatch)


def test_without_a_terminal_the_screen_is_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screen_module, "_LINE_EVERY_S", 3_600.0)
    shown = io.StringIO()
    with Screen(Console(file=shown, width=200)) as screen:
        screen.show(SendLog(), Sight(primary_up=False, spooled=7))
        screen.show(SendLog(), Sight(primary_up=False, spooled=8))
    assert shown.getvalue().count("\n") == 1
    assert "primary DOWN, spool 7 batches" in shown.getvalue()


def test_what_a_visitor_to_the_shop_adds_is_not_counted_as_sent() -> None:
    log = SendLog()
    log.begun = 10
    assert "stored 9;" in one_line(log, Sight(stored=9))
    assert "stored 10 and 2 of a visitor's own;" in one_line(log, Sight(stored=12))


def test_on_a_terminal_the_panel_shows_spool_and_drain() -> None:
    shown = io.StringIO()
    with Screen(Console(file=shown, width=100, force_terminal=True)) as screen:
        screen.show(SendLog(), Sight(primary_up=False, spooled=1, drained=1_234))
    assert "1 batch " in shown.getvalue()
    assert "1,234 batches" in shown.getvalue()


def test_the_account_shows_what_is_lost_and_what_is_there_twice() -> None:
    shown = io.StringIO()
    Console(file=shown, width=120).print(account_table(Account(10, 9, 7, 3, 1)))
    rows = [line.split()[:2] for line in shown.getvalue().splitlines()]
    for row in (["sent", "10"], ["stored", "7"], ["lost", "2"], ["duplicated", "3"]):
        assert row in rows
    assert ["unanswered", "1"] in rows
