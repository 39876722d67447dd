"""The same functions from the command line."""

import asyncio
import json
from collections.abc import Callable

import psycopg
import pytest
from click.testing import Result

from api.database import open_transaction
from api.keys import FoundKey, find_key

Run = Callable[..., Result]


@pytest.fixture
def run(core_verb: Run) -> Run:
    return core_verb


def test_a_site_is_added_and_listed(run: Run) -> None:
    result = run("site", "add", "example.com", "--time-zone", "Europe/Berlin")
    assert result.exit_code == 0, result.output
    listed = run("site", "list").output
    assert "example.com" in listed
    assert "Europe/Berlin" in listed


@pytest.mark.parametrize(
    "words",
    [
        ("site", "add", "https://example.com"),
        ("site", "add", "example.com", "--time-zone", "Mars/Olympus"),
        ("owner", "add", "not an address", "--password-file", "-"),
        ("owner", "reset", "nobody@example.com", "--password-file", "-"),
        ("key", "add", "--scope", "query", "--site", "nowhere.example"),
        ("key", "revoke", "77"),
        ("edge", "add", "Not An Edge"),
    ],
)
def test_a_refusal_is_one_sentence_and_an_exit_code(run: Run, words: tuple[str, ...]) -> None:
    result = run(*words, given="a long enough password\n")
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert len(result.output.strip().splitlines()) == 1


def test_an_owner_gets_a_made_password_without_a_terminal(run: Run) -> None:
    result = run("owner", "add", "you@example.com")
    assert result.exit_code == 0, result.output
    assert "Password: " in result.output


def test_an_owners_password_is_read_from_a_file_and_never_printed(run: Run) -> None:
    result = run("owner", "add", "you@example.com", "--password-file", "-", given="secret-secret\n")
    assert result.exit_code == 0, result.output
    assert "secret-secret" not in result.output
    again = run("owner", "add", "you@example.com", "--password-file", "-", given="secret-secret\n")
    assert again.exit_code == 1
    reset = run("owner", "reset", "you@example.com", "--password-file", "-", given="another-one\n")
    assert reset.exit_code == 0, reset.output


def test_a_key_is_printed_alone_on_standard_output_and_can_be_revoked(
    run: Run, database: str
) -> None:
    run("site", "add", "example.com")
    made = run("key", "add", "--scope", "import", "--scope", "query", "--site", "example.com")
    key = made.stdout.strip()
    found = asyncio.run(_find(database, key))
    assert found is not None
    assert found.scopes == {"import", "query"}
    assert key not in run("key", "list").output
    assert run("key", "revoke", str(found.key_id)).exit_code == 0
    assert asyncio.run(_find(database, key)) is None


def test_an_edge_is_registered_and_listed(run: Run) -> None:
    assert "MILLRACE_EDGE_NAME=paris" in run("edge", "add", "paris").output
    assert "never" in run("edge", "list").output


def test_a_spool_without_a_batch_takes_nothing_whatever_its_server_uses(
    run: Run, database: str
) -> None:
    run("edge", "add", "paris")
    for batches, shown in ((0, 0), (3, 1_257_160)):
        with psycopg.connect(database) as connection:
            connection.execute(
                "update edge set spooled_batches = %s, spooled_bytes = 1257160", (batches,)
            )
        [edge] = json.loads(run("edge", "list", "--json").stdout)
        assert edge["spooled_bytes"] == shown


def test_a_database_out_of_reach_is_said_in_one_sentence(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILLRACE_POSTGRES_URL", "postgresql://nobody@127.0.0.1:1/none")
    result = run("site", "list")
    assert result.exit_code == 1
    assert "does not answer" in result.output


async def _find(database: str, key: str) -> FoundKey | None:
    async with open_transaction(database) as db:
        return await find_key(db, key)
