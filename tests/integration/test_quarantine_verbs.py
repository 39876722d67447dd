"""`millrace quarantine` on the core: what is held, why, and what to do with it."""

from collections.abc import Callable
from functools import partial

import psycopg
import pytest
from click.testing import Result

from tests.writer_world import SEAL_KEY, SIGNING_KEY, FakeEdge, Pipe, envelope, put_site, standing

Run = Callable[..., Result]
NEW = "new.example"


@pytest.fixture
def run(core_verb: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("MILLRACE_SIGNING_KEY", SIGNING_KEY)
    monkeypatch.setenv("MILLRACE_SEAL_KEYS", SEAL_KEY)
    return partial(core_verb, "quarantine")


def test_an_empty_quarantine_is_said_in_a_sentence(run: Run) -> None:
    assert run("list").output == "Nothing is held.\n"


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
    again = run("replay", "1")
    assert (again.output, again.exit_code) == ("1 still held (unknown_site)\n", 1)
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


def test_a_replay_goes_on_past_what_the_database_refuses_and_says_so(
    database: str, pipe: Pipe, run: Run
) -> None:
    pipe.put(FakeEdge().entry([envelope(site=NEW, title=title) for title in ("odd", "a", "b")]))
    put_site(database, NEW)
    do(
        database,
        "create function refuse() returns trigger language plpgsql as $$ begin"
        " if new.title = 'odd' then raise exception using errcode = '22023'; end if;"
        " return new; end $$",
        "create trigger refuse before insert on events for each row execute function refuse()",
    )
    replayed = run("replay", "--reason", "unknown_site")
    assert replayed.output == "2 stored\n1 still held (refused_by_database)\n"
    assert replayed.exit_code == 1
    assert len(standing(database)) == 2


def test_a_replay_that_the_database_breaks_off_says_what_it_has_done(
    database: str, pipe: Pipe, run: Run
) -> None:
    pipe.put(FakeEdge().entry([envelope(site=NEW, title=title) for title in ("a", "odd", "b")]))
    put_site(database, NEW)
    do(
        database,
        "create function full_disk() returns trigger language plpgsql as $$ begin"
        " if new.title = 'odd' then raise exception using errcode = '53100'; end if;"
        " return new; end $$",
        "create trigger full_disk before insert on events"
        " for each row execute function full_disk()",
    )
    replayed = run("replay", "--reason", "unknown_site")
    assert replayed.output.startswith("1 stored\nError: ")
    assert "disk" in replayed.output
    assert replayed.exit_code == 1


@pytest.mark.parametrize("verb", [("discard", "1", "--yes"), ("replay", "1")])
def test_a_read_only_database_is_named(
    database: str, pipe: Pipe, run: Run, verb: tuple[str, ...]
) -> None:
    pipe.put(FakeEdge().entry([envelope(site=NEW)]))
    name = database.rpartition("/")[2]
    do(database, f'alter database "{name}" set default_transaction_read_only = on')
    result = run(*verb)
    assert result.exit_code == 1
    assert "read-only" in result.output
    assert len(result.output.splitlines()) == 1


def test_a_reason_that_is_no_text_is_a_mistake_and_no_fault(run: Run) -> None:
    for verb in ("replay", "discard"):
        result = run(verb, "--reason", "a\udcff")
        assert result.exit_code == 2
        assert "--reason" in result.output


def test_sealing_keys_that_are_none_are_named(
    pipe: Pipe, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe.put(FakeEdge().entry([envelope(site=NEW)]))
    monkeypatch.setenv("MILLRACE_SEAL_KEYS", "junk")
    for words in (("replay", "1"), ("show", "1", "--open")):
        result = run(*words)
        assert result.exit_code == 1
        assert "MILLRACE_SEAL_KEYS" in result.output


def test_a_list_loses_nothing_of_a_long_site_in_a_narrow_pipe(
    pipe: Pipe, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    site = f"{'x' * 50}.[red].example"
    pipe.put(FakeEdge().entry([envelope(site=site)]))
    assert site in run("list").output


def do(database: str, *statements: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())
