"""Rows leave the database for the archive, come back for a late event, and nothing is lost."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import psycopg
import pytest

from shared.clock import US_PER_DAY, US_PER_HOUR
from tests.days_world import Days, days_world
from tests.integration.api_service import ApiService, api_service
from tests.writer_world import NOON, client_id, envelope, put_key, put_setting, rows
from writer.jobs import leave, restore, rows_of_file, site_days
from writer.jobs.site_days import mark
from writer.past_days import FILE
from writer.rollups.put import drop_day

pytestmark = pytest.mark.anyio

CHUNKS = "select count(*)::int from timescaledb_information.chunks"
SOME = (
    envelope(url="https://example.com/a?utm_source=x", title="Tab\there, \"quotes\"\nand lines"),
    envelope(ip="203.0.113.8", received_at=NOON + 7, props={"plan": "pro", "n": 1.5, "b": True}),
    envelope(ip="203.0.113.8", received_at=NOON + US_PER_HOUR, name="buy", user_id="u",
             revenue={"amount": "12.50", "currency": "EUR"},
             items=[{"sku": "1", "name": "=x", "price": "1", "quantity": 2}]),
    envelope(user_agent="curl/8", title="a robot"),
    envelope(name="engagement", received_at=NOON + 9, engaged_ms=3_000, scroll_pct=40),
)  # fmt: skip


@pytest.fixture
def days(database: str, tmp_path: Path) -> Iterator[Days]:
    with days_world(database, tmp_path / "archive") as world:
        yield world


def late(**fields: Any) -> Any:
    """An event of the first day whose edge was out of reach until now."""
    return envelope(ip="203.0.113.9", received_at=NOON + 2 * US_PER_HOUR, **fields)


def test_rows_leave_once_their_file_is_there_and_give_their_disk_back(days: Days) -> None:
    days.put(*SOME)
    days.roll_up()
    before = days.rollups
    assert days.leave() == len(SOME)
    assert days.states == [FILE]
    assert days.ask("select count(*)::int from events") == [(0,)]
    assert days.ask(CHUNKS) == [(0,)]
    assert days.rollups == before != []
    assert days.keep_to_limits() == 0


def test_rows_stay_where_their_site_says_nothing_else(days: Days) -> None:
    days.put(*SOME)
    put_setting(days.database, days.site_id, "rows_in_database_days", None, NOON)
    assert days.leave() == 0
    assert days.states == ["archived"]


def test_rows_stay_until_a_file_is_there(days: Days) -> None:
    days.put(*SOME)
    days.pass_days(20)
    days.roll_up()
    assert days.keep_to_limits() == 0
    assert days.states == ["open"]


@pytest.mark.parametrize("fault", ["missing", "cut", "altered", "unreadable record"])
def test_rows_stay_while_their_file_is_not_what_was_written(days: Days, fault: str) -> None:
    days.put(*SOME)
    days.pass_days(20)
    days.archive()
    [file] = days.folder.glob("site=*/day=*/*.parquet")
    whole = file.read_bytes()
    if fault == "missing":
        file.unlink()
    elif fault == "cut":
        file.write_bytes(whole[:-1])
    elif fault == "altered":
        file.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    else:
        days.db.execute("update archive_file set sha256 = ''")
    assert days.keep_to_limits() == 0
    assert days.states == ["archived"]
    assert len(days.contents) == len(SOME)


def test_rows_stay_while_their_file_lacks_one(days: Days) -> None:
    days.put(*SOME)
    days.pass_days(20)
    days.archive()
    days.put(late())
    assert days.keep_to_limits() == 0
    days.roll_up()
    assert days.keep_to_limits() == 0
    days.archive()
    assert days.keep_to_limits() == len(SOME) + 1


def test_rows_stay_where_another_has_taken_the_place_of_one_since(days: Days) -> None:
    days.put(envelope(id=client_id(1), received_at=NOON + 5))
    days.pipe.now = NOON + 4 * 24 * US_PER_HOUR
    days.archive()
    days.put(envelope(id=client_id(1), title="earlier"))
    days.pass_days(20)
    assert days.keep_to_limits() == 0
    days.archive()
    days.keep_to_limits()
    days.put(late())
    days.restore()
    assert days.ask("select title from events") == [("earlier",)]


def test_rows_stay_while_an_earlier_request_may_take_the_place_of_one(days: Days) -> None:
    days.put(envelope(id=client_id(1)))
    days.pipe.now = NOON + 20 * 24 * US_PER_HOUR
    days.archive()
    assert days.keep_to_limits() == 0
    days.pass_days(20)
    assert days.keep_to_limits() == 1


async def test_an_event_whose_row_is_in_the_archive_alone_is_still_found(days: Days) -> None:
    days.put(*SOME)
    receipts = [receipt for (receipt,) in days.ask("select event_id from events order by ts, 1")]
    async with api_service(days.database, archive_folder=days.folder) as api:
        headers = await api.key("query")
        before = [await trace_of(api, one, headers) for one in receipts]
        days.leave()
        after = [await trace_of(api, one, headers) for one in receipts]
        other = await trace_of(api, UUID(int=receipts[0].int + 99), headers)
    assert len(before) == len(SOME)
    for now, then in zip(after, before, strict=True):
        assert (now["found"], now["detail"]) == ("stored", "in the archive alone")
        assert {**then["event"], **now["event"]} == then["event"]
    assert other["found"] != "stored"


async def trace_of(api: ApiService, receipt: UUID, headers: dict[str, str]) -> Any:
    answer = await api.client.get(f"/api/v2/trace/{receipt}", headers=headers)
    return answer.json()


def test_an_event_for_a_day_in_the_archive_waits_and_its_neighbours_do_not(days: Days) -> None:
    days.put(*SOME)
    days.leave()
    outcome = days.put(late(title="late"), envelope(received_at=days.pipe.now, title="now"))
    assert (outcome.stored, outcome.waiting) == (1, 1)
    assert rows(days.database, "select title from events") == [("now",)]
    assert days.outcomes == {"stored": len(SOME) + 1, "waiting": 1}
    assert days.states == [FILE, "open"]
    assert days.store_ready() == 0


def test_after_a_late_event_all_is_as_if_no_row_had_ever_left(days: Days, tmp_path: Path) -> None:
    days.put(*SOME)
    days.roll_up()
    whole = days.contents
    days.leave()
    rolled = days.rollups
    days.put(late())
    assert days.restore() == len(SOME)
    assert days.contents == whole
    assert days.states == ["archived"]
    days.roll_up()
    assert days.rollups == rolled
    assert days.store_ready() == 1
    assert days.outcomes == {"stored": len(SOME) + 1}
    days.roll_up()
    assert_rollups_are_those_of_the_rows(days)
    assert days.keep_to_limits() == 0
    days.archive()
    assert days.keep_to_limits() == len(SOME) + 1
    assert days.states == [FILE]
    days.put(late(title="another"))
    assert days.restore() == len(SOME) + 1


def assert_rollups_are_those_of_the_rows(days: Days) -> None:
    """Rolled up anew from nothing they are the same."""
    rolled = days.rollups
    drop_day(days.db, days.site_id, "2026-06-10")
    days.db.execute("update rollup_progress set commit_no = 0")
    days.roll_up()
    assert days.rollups == rolled


def test_the_same_event_again_is_a_duplicate_though_its_row_was_away(days: Days) -> None:
    put_key(days.database, "secret", days.site_id, scopes=["ingest", "import"])
    event: dict[str, Any] = {"key": "secret", "id": str(client_id(3)), "ts": "2026-06-10T09:00:00Z"}
    days.put(envelope(**event))
    days.leave()
    [(before,)] = days.ask("select to_jsonb(x) from archive_file x")
    later = {**event, "received_at": days.pipe.now}
    assert days.put(envelope(**later)).waiting == 1
    assert days.restore() == 1
    assert days.store_ready() == 1
    assert days.outcomes == {"stored": 1, "duplicate": 1}
    assert len(days.contents) == 1
    assert days.ask("select to_jsonb(x) from archive_file x") == [(before,)]


def test_events_that_wait_for_one_day_bring_it_back_once(days: Days) -> None:
    days.put(*SOME)
    days.leave()
    days.put(late(title="one"), late(title="two"))
    days.put(late(title="three"))
    assert days.restore() == len(SOME)
    assert days.restore() == 0
    assert days.store_ready() == 3
    assert days.store_ready() == 0
    assert len(days.contents) == len(SOME) + 3


def test_a_day_whose_file_cannot_be_read_holds_up_no_other(
    days: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    days.put(*SOME, envelope(received_at=NOON + US_PER_DAY))
    days.leave()
    days.put(late(), envelope(received_at=NOON + US_PER_DAY + US_PER_HOUR))
    tried: list[Any] = []

    def put_all_but_the_first(*values: Any) -> None:
        tried.append(values)
        if len(tried) == 1:
            raise duckdb.BinderException("no such column")
        rows_of_file.put_rows(*values)

    monkeypatch.setattr(restore, "put_rows", put_all_but_the_first)
    assert days.restore() == 1
    assert days.states[:2] == [FILE, "archived"]
    assert days.restore() == len(SOME)
    assert days.store_ready() == 2


def test_a_day_that_is_waited_for_does_not_leave_before_its_event_is_stored(days: Days) -> None:
    days.put(*SOME)
    days.leave()
    days.put(late())
    days.restore()
    assert days.keep_to_limits() == 0
    assert days.store_ready() == 1


@pytest.mark.parametrize("job", [leave, restore])
def test_a_death_in_the_middle_leaves_the_day_as_it_was(
    days: Days, monkeypatch: pytest.MonkeyPatch, job: Any
) -> None:
    days.put(*SOME)
    whole = days.contents
    if job is restore:
        days.leave()
        days.put(late())
    else:
        days.pass_days(20)
        days.archive()
    before = (days.states, days.outcomes)

    def die(connection: psycopg.Connection[Any], *_: object) -> None:
        connection.execute("select pg_terminate_backend(pg_backend_pid())")

    work = days.restore if job is restore else days.keep_to_limits
    kept = days.db
    with psycopg.connect(days.database, autocommit=True) as dying, monkeypatch.context() as patch:
        patch.setattr(job, "mark", die)
        days.db = dying
        with pytest.raises(psycopg.OperationalError):
            work()
    days.db = kept
    assert (days.states, days.outcomes) == before
    assert work() == len(SOME)
    assert days.contents == (whole if job is restore else [])


@pytest.mark.parametrize("pieces", [0, 1, 3])
def test_a_death_between_two_pieces_leaves_a_day_that_the_next_run_ends(
    days: Days, monkeypatch: pytest.MonkeyPatch, pieces: int
) -> None:
    monkeypatch.setattr(site_days, "_PIECE", 1)
    monkeypatch.setattr(rows_of_file, "_PIECE", 1)
    days.put(*SOME)
    whole = days.contents
    days.pass_days(20)
    days.archive()
    die_after(days, monkeypatch, site_days, "delete_piece", pieces, days.keep_to_limits)
    assert days.states == [FILE]
    assert days.contents
    days.keep_to_limits()
    assert days.contents == []
    days.put(late())
    die_after(days, monkeypatch, rows_of_file, "put_piece", pieces, days.restore)
    assert days.states == [FILE]
    assert len(days.contents) == pieces
    days.roll_up()
    assert days.keep_to_limits() == 0
    assert days.restore() == len(SOME)
    assert days.contents == whole
    assert days.store_ready() == 1


def die_after(
    days: Days,
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    name: str,
    pieces: int,
    work: Callable[[], int],
) -> None:
    """The job's connection ends before its next piece but so many."""
    done = list[Any]()
    do = getattr(module, name)

    def die(connection: psycopg.Connection[Any], *rest: Any) -> Any:
        if len(done) == pieces:
            connection.execute("select pg_terminate_backend(pg_backend_pid())")
        done.append(rest)
        return do(connection, *rest)

    kept = days.db
    with psycopg.connect(days.database, autocommit=True) as dying, monkeypatch.context() as patch:
        patch.setattr(module, name, die)
        days.db = dying
        with pytest.raises(psycopg.OperationalError):
            work()
    days.db = kept


def test_rows_go_and_come_without_holding_back_the_settled_commit(
    days: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site_days, "_PIECE", 1)
    monkeypatch.setattr(rows_of_file, "_PIECE", 1)
    days.put(*SOME)
    days.pass_days(20)
    days.archive()
    behind = list[Any]()

    def watch(module: Any, name: str) -> None:
        do = getattr(module, name)

        def watched(*values: Any) -> Any:
            with psycopg.connect(days.database, autocommit=True) as other:
                other.execute("select open_commit()")
                ask = "select max(commit_no) - settled() from commits"
                behind.extend(other.execute(ask).fetchone() or ())
            return do(*values)

        monkeypatch.setattr(module, name, watched)

    watch(site_days, "delete_piece")
    watch(leave, "count_rows")
    watch(restore, "count_rows")
    watch(rows_of_file, "put_piece")
    assert days.keep_to_limits() == len(SOME)
    days.put(late())
    assert days.restore() == len(SOME)
    assert len(behind) > 2 * len(SOME)
    assert set(behind) == {0}


def test_an_event_that_comes_while_its_day_leaves_waits_and_is_not_lost(
    days: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    days.put(*SOME)
    days.pass_days(20)
    days.archive()
    begun, go_on = threading.Event(), threading.Event()

    def wait(*values: Any) -> None:
        begun.set()
        assert go_on.wait(90)
        mark(*values)

    monkeypatch.setattr(leave, "mark", wait)
    leaving = threading.Thread(target=days.keep_to_limits)
    leaving.start()
    assert begun.wait(90)
    assert days.put(late()).waiting == 1
    go_on.set()
    leaving.join()
    assert days.states == [FILE]
    days.restore()
    assert days.store_ready() == 1
    assert len(days.contents) == len(SOME) + 1


def test_rows_do_not_leave_while_an_event_comes_in(days: Days) -> None:
    days.put(*SOME)
    days.pass_days(20)
    days.archive()
    with psycopg.connect(days.database) as writer:
        writer.execute("select from site_day for key share")
        assert days.keep_to_limits() == 0
    assert days.states == ["archived"]


def test_what_waits_for_a_file_that_is_not_sound_goes_on_waiting(days: Days) -> None:
    days.put(*SOME)
    days.leave()
    days.put(late())
    [file] = days.folder.glob("site=*/day=*/*.parquet")
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    assert days.restore() == 0
    assert days.outcomes["waiting"] == 1
    file.write_bytes(whole)
    assert days.restore() == len(SOME)


def test_an_event_for_a_day_that_is_gone_is_dropped_also_if_it_waited(days: Days) -> None:
    days.put(*SOME)
    days.leave()
    days.put(late())
    put_setting(days.database, days.site_id, "keep_days", 10, NOON)
    days.keep_to_limits()
    assert days.states == ["gone"]
    put_setting(days.database, days.site_id, "keep_days", 400, NOON + 1)
    assert days.put(late()).dropped == 1
    assert days.store_ready() == 1
    assert days.outcomes == {"stored": len(SOME), "dropped:retention": 2}
    assert rows(days.database, "select reason, events::int from dropped") == [("retention", 2)]
    assert days.contents == []
