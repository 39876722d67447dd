"""Goals, segments, exclusions and robots from the command line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from infrastructure.cli import cli

Run = Callable[..., Result]
SITE = "example.com"


@pytest.fixture
def run(database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Calls a verb on the test's database, where a site is."""
    monkeypatch.setenv("MILLRACE_STATE", str(tmp_path))
    monkeypatch.setenv("MILLRACE_POSTGRES_URL", database)
    monkeypatch.setenv("COLUMNS", "160")

    def call(*words: str) -> Result:
        return CliRunner().invoke(cli, list(words), prog_name="millrace")

    assert call("site", "add", SITE, "--no-wait").exit_code == 0
    return call


def parsed(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return msgspec.json.decode(result.stdout)


@pytest.mark.parametrize("verb", ["goal", "segment", "exclusion"])
def test_filters_are_saved_listed_and_removed_by_name(run: Run, verb: str) -> None:
    words = ("event:page~/admin,/login", '["not", ["is", "visit:country", ["AT"]]]')
    saved = parsed(run(verb, "add", SITE, "staff", *words, "--json"))
    assert saved["filters"] == [
        ["contains", "event:page", ["/admin", "/login"]],
        ["not", ["is", "visit:country", ["AT"]]],
    ]
    again = run(verb, "add", SITE, "staff", "event:page=/")
    assert (again.exit_code, again.output.count("already")) == (1, 1)
    listed = run(verb, "list", SITE).output
    assert "staff" in listed
    assert 'event:page~/admin,/login and ["not"' in listed
    assert run(verb, "remove", SITE, "staff").exit_code == 0
    assert f"{SITE} has no {verb}" in run(verb, "list", SITE).output
    assert run(verb, "remove", SITE, "staff").exit_code == 1


@pytest.mark.parametrize(
    ("words", "filters"),
    [
        (["--event", "Signup"], [["is", "event:name", ["Signup"]]]),
        (
            ["--page", "/thanks"],
            [["is", "event:name", ["pageview"]], ["is", "event:page", ["/thanks"]]],
        ),
        (
            ["--page", "/a.b/*/c**"],
            [
                ["is", "event:name", ["pageview"]],
                ["matches", "event:page", [r"^/a\.b/[^/]*/c.*$"]],
            ],
        ),
        (
            ["--event", "purchase", "event:props:plan=pro"],
            [["is", "event:name", ["purchase"]], ["is", "event:props:plan", ["pro"]]],
        ),
    ],
)
def test_a_goal_is_an_event_a_page_or_any_filter(
    run: Run, words: list[str], filters: list[Any]
) -> None:
    assert parsed(run("goal", "add", SITE, "reached", *words, "--json"))["filters"] == filters


@pytest.mark.parametrize(
    "words",
    [
        ("goal", "add", SITE, "nothing"),
        ("goal", "add", SITE, "bad", "nonsense"),
        ("exclusion", "add", SITE, "bad", "event:nonsense=1"),
        ("exclusion", "add", SITE, "bad", "[1"),
        ("segment", "list", "nowhere.example"),
        ("bots", "add", "both", "--agent", "a", "--network", "10.0.0.0/8"),
        ("bots", "add", "bad", "--agent", "("),
        ("bots", "add", "bad", "--network", "10.0.0.1/8"),
        ("bots", "remove", "77"),
        ("bots", "try", "x", "--ip", "nowhere"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(run: Run, words: tuple[str, ...]) -> None:
    result = run(*words)
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert len(result.output.strip().splitlines()) == 1


def test_robots_are_named_tried_listed_and_removed(run: Run) -> None:
    assert "packaged list alone" in run("bots", "list").output
    assert "packaged list: ^curl" in run("bots", "try", "curl/8.5.0").output
    assert run("bots", "add", "our app", "--agent", "^curl", "--allow").exit_code == 0
    own = parsed(
        run("bots", "add", "office", "--network", "203.0.113.0/24", "--site", SITE, "--json")
    )
    assert "our app, allows it" in run("bots", "try", "curl/8.5.0").output
    tried = ("bots", "try", "Firefox", "--ip", "203.0.113.9")
    assert "it counts" in run(*tried).output
    assert "office" in run(*tried, "--site", SITE).output
    listed = run("bots", "list", "--site", SITE).output
    assert listed.index("office") < listed.index("our app")
    assert run("bots", "remove", str(own["id"])).exit_code == 1
    assert run("bots", "remove", str(own["id"]), "--site", SITE).exit_code == 0
    assert "office" not in run("bots", "list", "--site", SITE).output
    assert "office" in run("bots", "list", "--site", SITE, "--all").output
