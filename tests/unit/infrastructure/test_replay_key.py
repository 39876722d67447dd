"""The key that a replay in a checkout makes for itself."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from api.database import open_transaction
from api.sites import put_site
from infrastructure.replay.import_key import own_key
from shared.errors import Refusal

SITE = "example.com"


@pytest.fixture
def with_site(database: str) -> str:
    async def add() -> None:
        async with open_transaction(database) as db:
            await put_site(db, SITE, {}, datetime.now(UTC))

    asyncio.run(add())
    return database


def test_the_first_replay_makes_a_key_and_the_next_one_finds_it(
    with_site: str, tmp_path: Path
) -> None:
    first = own_key(tmp_path, with_site, SITE)
    second = own_key(tmp_path, with_site, SITE)
    assert (first.new, second.new) == (True, False)
    assert first.text == second.text
    with psycopg.connect(with_site) as db:
        [(scopes, site_id)] = db.execute("select scopes, site_id from api_key").fetchall()
    assert "import" in scopes
    assert site_id is not None  # good for this site alone


def test_the_key_is_kept_where_only_its_owner_can_read_it(with_site: str, tmp_path: Path) -> None:
    own_key(tmp_path, with_site, SITE)
    [kept] = tmp_path.iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600


def test_a_revoked_key_is_replaced(with_site: str, tmp_path: Path) -> None:
    first = own_key(tmp_path, with_site, SITE)
    with psycopg.connect(with_site) as db:
        db.execute("update api_key set revoked_at = now()")
    second = own_key(tmp_path, with_site, SITE)
    assert second.new
    assert second.text != first.text


def test_a_site_that_is_not_there_is_refused(database: str, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"example\.com"):
        own_key(tmp_path, database, SITE)
    assert not list(tmp_path.iterdir())
