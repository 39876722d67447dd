"""`millrace quarantine` on the core: what is held, why, and what to do with it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from infrastructure.cli import cli
from tests.writer_world import SEAL_KEY, SIGNING_KEY, FakeEdge, Pipe, envelope, put_site, standing

Run = Callable[..., Result]
NEW = "new.example"


@pytest.fixture
def pipe(database: str) -> Iterator[Pipe]:
    put_site(database)
    made = Pipe(database)
    yield made
    made.close()


@pytest.fixture
def run(database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    settings = {
        "STATE": str(tmp_path),
        "POSTGRES_URL": database,
        "PRIMARY_URL": "redis://127.0.0.1:1",
        "SIGNING_KEY": SIGNING_KEY,
        "SEAL_KEYS": SEAL_KEY,
        "GEO_DIR": str(tmp_path),
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"MILLRACE_{name}", value)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*words: str) -> Result:
        return CliRunner().invoke(cli, ["quarantine", *words], prog_name="millrace")

    return call


def test_what_is_held_is_listed_shown_and_replayed(database: str, pipe: Pipe, run: Run) -> None:
    pipe.put(FakeEdge().entry([envelope(site=NEW, title="\x1b[2J"), envelope()]))
    listed = run("list").output
    assert "unknown_site" in listed
    assert NEW in listed
    shown = run("show", "1").output
    assert "unknown_site" in shown
    assert "/" not in shown.replace("n/a", "")
    opened = run("show", "1", "--open").output
    assert '"name":"pageview"' in opened
    assert "203.0.113.7" not in shown + opened
    assert "\x1b" not in opened
    assert run("replay", "1").output == "1 still held (unknown_site)\n"
    put_site(database, NEW)
    assert run("replay", "--reason", "unknown_site").output == "1 stored\n"
    assert len(standing(database)) == 2
    assert run("replay", "--reason", "unknown_site").output == "Nothing is held.\n"
    assert "replayed" in run("show", "1").output


def test_what_is_discarded_needs_a_yes(database: str, pipe: Pipe, run: Run) -> None:
    pipe.put(FakeEdge().entry([envelope(site=NEW)]))
    assert run("discard", "1").exit_code == 1
    assert run("discard", "1", "--yes").output == "1 discarded\n"
    assert "discarded" in run("show", "1").output


@pytest.mark.parametrize("words", [("replay",), ("replay", "1", "--reason", "x"), ("show", "9")])
def test_a_mistake_is_said_in_one_sentence(pipe: Pipe, run: Run, words: tuple[str, ...]) -> None:
    result = run(*words)
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert len(result.output.splitlines()) == 1
