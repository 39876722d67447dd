"""Days go when their site's time has come: rows and files, later their rollups, and no other's."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from shared.clock import US_PER_DAY, US_PER_HOUR
from tests.days_world import Days, days_world
from tests.writer_world import NOON, envelope, put_setting, put_site
from writer.archive.work import keep
from writer.jobs import go
from writer.jobs.site_days import SiteDay, delete_rows, mark

BRIEF = "brief.example"
CHUNKS = "select count(*)::int from timescaledb_information.chunks"


@pytest.fixture
def days(database: str, tmp_path: Path) -> Iterator[Days]:
    with days_world(database, tmp_path / "archive") as world:
        yield world


def set_(days: Days, name: str, value: int | None) -> None:
    days.db.execute("delete from site_setting where name = %s", (name,))
    put_setting(days.database, days.site_id, name, value, 0)


def states_by_site(days: Days) -> list[Any]:
    return days.ask(
        "select s.key, day::text, state from site_day join site s using (site_id) order by 1, 2"
    )


def test_rows_go_by_whole_site_days_and_each_sites_own_limit(days: Days) -> None:
    put_site(days.database, BRIEF, keep_days=2)
    for site in ("example.com", BRIEF):
        days.put(envelope(site=site), envelope(site=site, received_at=NOON - 20 * US_PER_HOUR))
    days.roll_up()
    days.pipe.now = NOON + 2 * US_PER_DAY + 11 * US_PER_HOUR
    assert days.keep_to_limits() == 1
    assert states_by_site(days) == [
        (BRIEF, "2026-06-09", "gone"),
        (BRIEF, "2026-06-10", "open"),
        ("example.com", "2026-06-09", "open"),
        ("example.com", "2026-06-10", "open"),
    ]
    assert len(days.contents) == 3


def test_rollups_outlive_the_rows_and_their_chunk(days: Days) -> None:
    set_(days, "keep_days", 30)
    days.put(envelope(), envelope(ip="203.0.113.8"))
    days.roll_up()
    before = days.rollups
    days.pass_days(60)
    assert days.keep_to_limits() == 2
    assert days.ask(CHUNKS) == [(0,)]
    assert days.states == ["gone"]
    assert days.rollups == before != []


def test_rollups_go_when_their_own_time_has_come(days: Days) -> None:
    set_(days, "keep_days", 30)
    set_(days, "keep_rollups_days", 90)
    days.put(envelope())
    days.pass_days(60)
    days.roll_up()
    days.keep_to_limits()
    assert days.states == ["gone"]
    assert days.rollups != []
    days.pass_days(92)
    days.keep_to_limits()
    assert days.states == ["forgotten"]
    assert days.rollups == []
    assert days.ask("select count(*)::int from rollup_left_out") == [(0,)]


def test_rollups_never_go_before_the_rows(days: Days) -> None:
    set_(days, "keep_rollups_days", 1)
    days.put(envelope())
    days.pass_days(5)
    days.roll_up()
    assert days.keep_to_limits() == 0
    assert days.states == ["open"]
    assert days.rollups != []


def test_the_files_of_a_day_that_is_gone_go_too(days: Days) -> None:
    days.put(envelope())
    days.leave()
    set_(days, "keep_days", 10)
    days.keep_to_limits()
    assert days.states == ["gone"]
    assert days.ask("select * from archive_file") == []
    for file in days.folder.rglob("*.parquet"):
        os.utime(file, (0, 0))
    keep(days.db, days.folder, 256, days.now)
    assert list(days.folder.rglob("*.parquet")) == []
    assert days.rollups != []


def test_a_day_whose_events_the_rollups_have_not_counted_waits_for_them(days: Days) -> None:
    set_(days, "keep_days", 10)
    days.put(envelope())
    days.pass_days(20)
    days.db.execute("update rollup_progress set looked_at = %s", (days.now,))
    assert days.keep_to_limits() == 0
    assert days.states == ["open"]
    days.roll_up()
    assert days.keep_to_limits() == 1
    assert days.states == ["gone"]


def test_rows_go_on_time_also_where_no_rollups_are_made(days: Days) -> None:
    set_(days, "keep_days", 10)
    days.put(envelope())
    days.pass_days(20)
    assert days.keep_to_limits() == 1
    assert days.states == ["forgotten"]
    assert days.contents == []


def test_a_stage_that_wakes_while_the_rows_go_rolls_nothing_of_them_up(
    days: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_(days, "keep_days", 10)
    days.put(envelope(), envelope(ip="203.0.113.8"), envelope(user_agent=""))
    days.pass_days(20)

    def delete_after_a_step(connection: psycopg.Connection[Any], each: SiteDay) -> int:
        days.roll_up()
        return delete_rows(connection, each)

    monkeypatch.setattr(go, "delete_rows", delete_after_a_step)
    assert days.keep_to_limits() == 3
    assert days.states == ["forgotten"]
    assert days.rollups == []


def test_a_death_in_the_middle_leaves_whole_days_and_the_next_run_does_the_rest(
    days: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_(days, "keep_days", 10)
    days.put(envelope(), envelope(received_at=NOON - US_PER_DAY))
    days.pass_days(30)
    days.archive()
    marked = list[Any]()

    def die_at_the_second(connection: psycopg.Connection[Any], *rest: Any) -> None:
        marked.append(rest)
        if len(marked) == 2:
            connection.execute("select pg_terminate_backend(pg_backend_pid())")
        mark(connection, *rest)

    kept = days.db
    with psycopg.connect(days.database, autocommit=True) as dying, monkeypatch.context() as patch:
        patch.setattr(go, "mark", die_at_the_second)
        days.db = dying
        with pytest.raises(psycopg.OperationalError):
            days.keep_to_limits()
    days.db = kept
    assert days.states == ["gone", "archived"]
    assert len(days.contents) == 1
    assert days.keep_to_limits() == 1
    assert days.states == ["gone", "gone"]
    assert days.ask("select * from archive_file") == []


def test_a_setting_that_cannot_be_read_deletes_nothing_and_stops_no_other_site(
    days: Days,
) -> None:
    set_(days, "keep_days", 10)
    odd = put_site(days.database, "odd.example", keep_days="soon", rows_in_database_days=8)
    days.put(envelope(), envelope(site="odd.example"))
    days.pass_days(20)
    days.archive()
    assert days.keep_to_limits() == 1
    assert days.ask("select site_id from events") == [(odd,)]


def test_nothing_else_is_touched(days: Days) -> None:
    put_site(days.database, "other.example")
    days.put(envelope(), envelope(site="other.example"))
    set_(days, "keep_days", 10)
    days.pass_days(20)
    days.archive()
    others = "select to_jsonb(x) from {} x where site_id <> (select min(site_id) from site)"
    tables = ("events", "site_day", "archive_file", "rollup_day", "rollup_hour", "salt")
    before = [days.ask(others.format(table)) for table in tables]
    assert all(before)
    days.keep_to_limits()
    assert [days.ask(others.format(table)) for table in tables] == before


def test_an_empty_chunk_that_somebody_reads_is_left_until_later(days: Days) -> None:
    set_(days, "keep_days", 10)
    days.put(envelope())
    days.roll_up()
    days.pass_days(20)
    with psycopg.connect(days.database) as reader:
        reader.execute("select count(*) from events")
        days.keep_to_limits()
        assert days.ask(CHUNKS) == [(1,)]
    days.keep_to_limits()
    assert days.ask(CHUNKS) == [(0,)]


def test_a_chunk_stays_for_a_snapshot_that_is_older_than_the_going_of_its_rows(days: Days) -> None:
    set_(days, "keep_days", 10)
    days.put(envelope())
    days.roll_up()
    days.pass_days(20)
    options = "-c default_transaction_isolation=repeatable\\ read"
    with psycopg.connect(days.database, options=options) as reader:
        reader.execute("select state from site_day")
        days.keep_to_limits()
        days.keep_to_limits()
        assert days.states == ["gone"]
        seen = "select (select state from site_day), (select count(*)::int from events)"
        assert reader.execute(seen).fetchone() == ("open", 1)
    with psycopg.connect(days.database, options=options) as reader:
        reader.execute("select state from site_day")
        days.keep_to_limits()
    assert days.ask(CHUNKS) == [(0,)]


def test_a_late_event_finds_a_new_chunk_where_its_own_was_dropped(days: Days) -> None:
    days.put(envelope())
    days.leave()
    assert days.ask(CHUNKS) == [(0,)]
    days.put(envelope(received_at=NOON - 2 * US_PER_DAY))
    assert len(days.contents) == 1
