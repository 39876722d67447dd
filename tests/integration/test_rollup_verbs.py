"""`millrace rollup`: days made anew, and the first difference from the raw events."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from click.testing import Result
from psycopg import Connection

from tests.rollup_world import Naive, commit, connect, event, stored_days
from tests.writer_world import put_setting, put_site
from writer.rollups.step import step

Run = Callable[..., Result]


@pytest.fixture
def run(core_verb: Run) -> Run:
    return partial(core_verb, "rollup")


@pytest.fixture
def connection(database: str) -> Iterator[Connection[Any]]:
    with connect(database) as made:
        yield made


def test_verify_prints_the_first_difference_and_rebuild_mends_it(
    connection: Connection[Any], database: str, run: Run
) -> None:
    site_id = put_site(database)
    seen = [event(1), event(2, page="/b"), event(90_000)]
    commit(connection, site_id, seen)
    assert step(connection)
    agreed = run("verify")
    assert agreed.exit_code == 0
    assert "The rollups of 2 site-days agree with the raw events." in agreed.output
    connection.execute("UPDATE rollup_day SET events = 7 WHERE dimension = 'page' AND value = '/b'")
    assert run("verify", "--from", "2026-06-11").exit_code == 0
    differs = run("verify", "--site", "example.com")
    assert differs.exit_code == 1
    assert "example.com, 2026-06-10, rollup_day, page /b" in differs.output
    assert "events: 7 in the rollups, 1 counted" in differs.output
    again = "rollup rebuild --site example.com --from 2026-06-10 --to 2026-06-10"
    assert again in differs.output
    mended = run(*again.split()[1:])
    assert mended.exit_code == 0
    assert "The rollups of 1 site-days are made anew." in mended.output
    assert run("verify").exit_code == 0
    assert stored_days(connection, site_id) == dict(Naive(seen).days)


def test_a_row_that_should_not_be_there_or_is_missing_is_a_difference(
    connection: Connection[Any], database: str, run: Run
) -> None:
    site_id = put_site(database)
    commit(connection, site_id, [event(1)])
    assert step(connection)
    connection.execute("DELETE FROM rollup_hour WHERE dimension = 'name'")
    assert "rollup_hour, name 12 pageview" in run("verify").output
    run("rebuild")
    connection.execute("UPDATE rollup_day SET value = 'x', digest = 'x' WHERE dimension = 'os'")
    assert "rollup_day, os" in run("verify").output


def test_a_rebuild_rolls_up_the_props_that_are_declared_now(
    connection: Connection[Any], database: str, run: Run
) -> None:
    site_id = put_site(database)
    seen = [event(1, props={"plan": "pro"})]
    commit(connection, site_id, seen)
    assert step(connection)
    put_setting(database, site_id, "props", ["plan"], 0)
    assert run("verify").exit_code == 0
    assert run("rebuild").exit_code == 0
    assert stored_days(connection, site_id) == dict(Naive(seen, ["plan"]).days)


def test_a_site_that_is_not_there_is_named(database: str, run: Run) -> None:
    refused = run("verify", "--site", "nobody.example")
    assert refused.exit_code == 1
    assert "nobody.example" in refused.output
