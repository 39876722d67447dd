"""The verbs of the first ten minutes: owners and links, sites and what arrives for them, keys and
edges, as somebody types them."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result

from api.database import open_transaction
from api.sign_in_links import take_sign_in_link
from infrastructure.cli import cli
from shared.keys import new_seal_key, new_signing_key, public_seal_key, public_signing_key

Run = Callable[..., Result]
VERBS = {
    "owner": ("add", "reset", "link"),
    "site": ("add", "show", "list", "set"),
    "key": ("add", "list", "revoke"),
    "edge": ("add", "retire", "list"),
}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Calls a verb where nothing runs and nothing is set."""
    monkeypatch.setenv("MILLRACE_STATE", str(tmp_path))
    monkeypatch.delenv("MILLRACE_POSTGRES_URL", raising=False)
    monkeypatch.delenv("TZ", raising=False)
    return call


@pytest.fixture
def core(run: Run, database: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The same on the core, with a database of its own."""
    monkeypatch.setenv("MILLRACE_POSTGRES_URL", database)
    monkeypatch.setenv("MILLRACE_API_URL", "https://numbers.example")
    monkeypatch.setenv("MILLRACE_EDGE_URL", "https://edge.example")
    return run


def call(*words: str, given: str | None = None) -> Result:
    return CliRunner().invoke(cli, list(words), input=given, prog_name="millrace")


def told(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize("words", [("site", "list"), ("owner", "add", "you@example.com")])
def test_where_nothing_runs_a_verb_says_what_starts_it(run: Run, words: tuple[str, ...]) -> None:
    result = run(*words)
    assert result.exit_code == 1
    assert "`./run up`" in result.output


@pytest.mark.parametrize("words", [(verb, each) for verb, all_ in VERBS.items() for each in all_])
def test_every_verbs_help_ends_with_an_example(run: Run, words: tuple[str, ...]) -> None:
    result = run(*words, "--help")
    assert result.exit_code == 0
    assert f"Example:\n    ./run {' '.join(words)}" in result.output


def test_an_owner_gets_a_link_that_signs_in_once_and_no_password_is_shown(
    core: Run, database: str
) -> None:
    result = core("owner", "add", "You@Example.com", "--link")
    assert result.exit_code == 0, result.output
    assert "assword" not in result.output
    address = result.stdout.strip()
    assert address.startswith("https://numbers.example/login#token=")
    token = address.partition("#token=")[2]
    assert asyncio.run(_take(database, token)) == ["you@example.com", None]


def test_a_link_for_an_owner_there_is_already(core: Run, database: str) -> None:
    core("owner", "add", "you@example.com")
    link = core("owner", "link", "you@example.com").stdout.strip()
    token = link.partition("#token=")[2]
    assert asyncio.run(_take(database, token))[0] == "you@example.com"
    assert "there is no owner" in core("owner", "link", "nobody@example.com").output


def test_an_owner_without_an_address_is_asked_for_one_only_on_a_terminal(core: Run) -> None:
    result = core("owner", "add")
    assert (result.exit_code, "e-mail" in result.output) == (1, True)


def test_a_site_is_added_with_its_snippet_ready_to_paste(core: Run) -> None:
    result = core("site", "add", "example.com", "--time-zone", "Europe/Berlin")
    assert result.exit_code == 0, result.output
    pasted = '<script defer src="https://edge.example/t.js" data-site="example.com"></script>'
    assert pasted in result.stdout
    assert pasted in core("site", "show", "example.com").stdout
    added = told(core("site", "add", "example.net", "--time-zone", "Europe/Berlin", "--json"))
    assert added == {
        "key": "example.net",
        "time_zone": "Europe/Berlin",
        "snippet": pasted.replace(".com", ".net"),
    }


def test_without_a_zone_the_machines_is_taken_and_said(
    core: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    result = core("site", "add", "example.com")
    assert "its days in Asia/Tokyo (this machine's time zone)" in result.stdout
    assert told(core("site", "list", "--json"))[0]["time_zone"] == "Asia/Tokyo"


def test_the_list_of_sites_tells_todays_events_and_the_last(core: Run, database: str) -> None:
    assert "site add example.com" in core("site", "list").output
    core("site", "add", "example.com", "--time-zone", "UTC")
    core("site", "add", "quiet.example", "--time-zone", "UTC")
    now = datetime.now(UTC)
    times = [now, now - timedelta(seconds=1), now - timedelta(days=3)]
    put_events(database, times)
    busy, quiet = told(core("site", "list", "--json"))
    # Midnight may come between any two of these lines.
    days = (now.date(), datetime.now(UTC).date())
    assert busy["events_today"] in [sum(at.date() == day for at in times) for day in days]
    assert datetime.fromisoformat(busy["last_event_at"]) == now
    assert (quiet["events_today"], quiet["last_event_at"]) == (0, None)
    assert f"{now:%Y-%m-%d %H:%M:%S}Z" in core("site", "list").stdout


def test_settings_are_changed_by_name(core: Run) -> None:
    core("site", "add", "example.com", "--time-zone", "UTC")
    result = core(
        "site", "set", "example.com",
        "origins=https://shop.example, https://example.net", "keep_days=90", "props=plan",
        "honour_dnt=false", "time_zone=Europe/Paris",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    site = told(core("site", "show", "example.com", "--json"))["site"]
    assert site["settings"]["origins"] == ["https://shop.example", "https://example.net"]
    assert (site["settings"]["keep_days"], site["settings"]["honour_dnt"]) == (90, False)
    assert site["settings"]["props"] == ["plan"]
    assert site["upcoming"][0]["value"] == "Europe/Paris"
    assert "time_zone = Europe/Paris from " in result.stdout
    core("site", "set", "example.com", "keep_days=null", "props=null", "origins=")
    site = told(core("site", "show", "example.com", "--json"))["site"]["settings"]
    assert (site["keep_days"], site["props"], site["origins"]) == (None, None, [])


@pytest.mark.parametrize(
    "word", ["keep_days", "kept=1", "keep_days=soon", "origins=shop.example", "time_zone=Mars"]
)
def test_a_faulty_setting_is_one_sentence_and_changes_nothing(core: Run, word: str) -> None:
    core("site", "add", "example.com", "--time-zone", "UTC")
    before = core("site", "show", "example.com", "--json").stdout
    result = core("site", "set", "example.com", "props=plan", word)
    assert result.exit_code == 1
    assert len(result.output.strip().splitlines()) == 1
    assert core("site", "show", "example.com", "--json").stdout == before


def test_a_key_for_scripts_is_json_and_listed_without_its_text(core: Run) -> None:
    core("site", "add", "example.com", "--time-zone", "UTC")
    made = told(core("key", "add", "--scope", "query", "--site", "example.com", "--json"))
    listed = core("key", "list", "--json")
    assert made["key"] not in listed.stdout
    assert told(listed)[0]["site"] == "example.com"
    assert core("key", "revoke", str(made["key_id"])).exit_code == 0
    assert told(core("key", "list", "--json"))[0]["revoked_at"] is not None


def test_an_added_edge_gets_the_environment_it_needs(
    core: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    signing, sealing = new_signing_key(), new_seal_key()
    monkeypatch.setenv("MILLRACE_SIGNING_KEY", signing)
    monkeypatch.setenv("MILLRACE_SEAL_KEYS", f"{sealing} {new_seal_key()}")
    lines = dict(line.split("=", 1) for line in core("edge", "add", "paris").stdout.splitlines())
    assert lines["MILLRACE_EDGE_NAME"] == "paris"
    assert lines["MILLRACE_CORE_VERIFY_KEY"] == public_signing_key(signing)
    assert lines["MILLRACE_SEAL_PUBLIC_KEY"] == public_seal_key(sealing)
    assert {"MILLRACE_PRIMARY_URL", "MILLRACE_SPOOL_URL"} < set(lines)
    assert told(core("edge", "list", "--json"))[0]["edge"] == "paris"


def test_where_the_keys_are_not_known_an_added_edge_is_told_what_prints_them(core: Run) -> None:
    assert "keys public" in core("edge", "add", "paris").stderr


def put_events(database: str, times: list[datetime]) -> None:
    """Events of the first site, each a page view at its time."""
    with psycopg.connect(database) as db:
        db.execute("select open_commit()")
        for number, at in enumerate(times):
            db.execute(
                "insert into events (site_id, ts, event_id, commit_in, day, hour, received_at,"
                " name, interactive) select site_id, %s, %s, 1, %s, 0, %s, 'pageview', true"
                " from site where key = 'example.com'",
                [at, f"00000000-0000-8000-8000-{number:012}", at.date(), at],
            )


async def _take(database: str, token: str) -> list[str | None]:
    """Whom the link signs in, the first time and the second."""
    found = []
    for _ in range(2):
        async with open_transaction(database) as db:
            taken = await take_sign_in_link(db, token, datetime.now(UTC))
        found.append(taken.email if taken else None)
    return found
