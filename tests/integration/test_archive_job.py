"""The job that writes the archive: what it writes and when, and what it leaves when it dies."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from psycopg import Connection

from shared.failpoints import ARCHIVE, VARIABLE
from tests.archive_world import LONG_AFTER, MEMORY_MB, roll_up, write_archive
from tests.writer_world import NOON, FakeEdge, Pipe, envelope, put_site
from writer.archive import again, check
from writer.archive.check import check_file, verify
from writer.archive.day import Became, write_day
from writer.archive.folder import OLD_AFTER_S
from writer.archive.record import Choice, Filed, read_filed
from writer.archive.work import (
    ALL_DAYS,
    Busy,
    Limits,
    alone,
    keep,
    verify_some,
    write_due,
)
from writer.database.locks import Lock
from writer.known.zones import moment
from writer.rollups.step import step

TODAY = moment(NOON)
DAY = TODAY.date()
DAY_END = datetime(2026, 6, 11, tzinfo=UTC)
DAY_US = 24 * 3_600 * 1_000_000

_WRITE = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from writer.archive.work import write_due
from writer.database.connection import connect
with connect(sys.argv[1], autocommit=True) as connection:
    write_due(connection, Path(sys.argv[2]), 256, datetime(2030, 1, 1, tzinfo=UTC))
"""


@pytest.fixture
def db(database: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "archive"


def store(pipe: Pipe, count: int = 3, at: int = NOON, **fields: Any) -> None:
    pipe.now = max(pipe.now, at)
    seconds = [at + nth * 1_000_000 for nth in range(count)]
    pipe.put(FakeEdge().entry([envelope(received_at=each, **fields) for each in seconds]))


def write(db: Connection[Any], folder: Path, now: datetime = LONG_AFTER, **choice: Any) -> int:
    roll_up(db)
    became = write_due(db, folder, MEMORY_MB, now, Choice(**choice))
    return became[Became.WRITTEN]


def rows_in(file: Path) -> int:
    with duckdb.connect() as duck:
        [[rows]] = duck.execute("SELECT count(*) FROM read_parquet(?)", [str(file)]).fetchall()
    return int(rows)


def files_in(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def only(db: Connection[Any]) -> Filed:
    [filed] = read_filed(db, ALL_DAYS)
    return filed


def test_a_day_is_written_once_it_is_closed_and_not_before(
    db: Connection[Any], pipe: Pipe, folder: Path
) -> None:
    store(pipe)
    assert write(db, folder, DAY_END + timedelta(hours=23, minutes=59)) == 0
    assert write(db, folder, DAY_END + timedelta(hours=24)) == 1
    assert write(db, folder, DAY_END + timedelta(hours=25)) == 0
    filed = only(db)
    assert (filed.rows, filed.version, filed.state, filed.stale) == (3, 1, "archived", False)
    assert rows_in(folder / filed.path) == 3
    assert check_file(folder, filed) is None


def test_a_day_waits_for_an_edge_that_may_hold_something_of_it(
    db: Connection[Any], pipe: Pipe, folder: Path
) -> None:
    store(pipe)
    later = DAY_END + timedelta(hours=30)
    db.execute(
        "insert into edge (edge, added_at, last_heard) values ('e9', %s, %s)", (TODAY, later)
    )
    db.execute(
        "insert into boot (edge, boot, final_until, last_heard) values ('e9', 7, %s, %s)",
        (DAY_END + timedelta(hours=23), later),
    )
    assert write(db, folder, later) == 0
    db.execute("update boot set final_until = %s", (DAY_END + timedelta(hours=24),))
    assert write(db, folder, later) == 1


def test_a_day_waits_until_the_rollups_have_come_so_far(
    db: Connection[Any], pipe: Pipe, folder: Path
) -> None:
    store(pipe)
    roll_up(db)
    store(pipe, page="/more")
    became = write_due(db, folder, MEMORY_MB, LONG_AFTER)
    assert became == {Became.BEHIND: 1}
    assert files_in(folder) == []
    assert write(db, folder) == 1
    assert only(db).rows == 6


def test_a_late_event_makes_the_file_stale_and_the_next_run_writes_it_anew(
    db: Connection[Any], pipe: Pipe, folder: Path
) -> None:
    store(pipe)
    assert write(db, folder) == 1
    store(pipe, count=1, at=NOON + DAY_US, age_ms=86_000_000)
    roll_up(db)
    assert [filed.stale for filed in read_filed(db, Choice(None, DAY, DAY))] == [True]
    assert write(db, folder, first=DAY, last=DAY) == 1
    filed = read_filed(db, Choice(None, DAY, DAY))[0]
    assert (filed.rows, filed.version, filed.stale) == (4, 2, False)


def test_an_old_version_goes_when_no_reader_can_be_at_it_any_more(
    db: Connection[Any], pipe: Pipe, folder: Path
) -> None:
    store(pipe)
    write(db, folder)
    store(pipe, count=1, at=NOON + DAY_US, age_ms=86_000_000)
    roll_up(db)
    keep(db, folder, MEMORY_MB, LONG_AFTER)
    before = files_in(folder)
    assert len([file for file in before if f"day={DAY}" in file]) == 2
    age(folder)
    keep(db, folder, MEMORY_MB, LONG_AFTER)
    [left] = [file for file in files_in(folder) if f"day={DAY}" in file]
    assert left.endswith("/2.parquet")


def age(folder: Path) -> None:
    """As if everything had been written long ago."""
    then = time.time() - OLD_AFTER_S - 60
    for file in folder.rglob("*"):
        os.utime(file, (then, then))


def test_what_nothing_names_leaves_though_a_day_cannot_be_written(
    db: Connection[Any], pipe: Pipe, folder: Path
) -> None:
    store(pipe)
    roll_up(db)
    gone = folder / "site=77" / "day=2026-01-01" / "1.parquet"
    gone.parent.mkdir(parents=True)
    gone.touch()
    age(folder)
    # A file stands where the day's folder would be.
    (folder / f"site={only_site(db)}").touch()
    with pytest.raises(OSError, match="site="):
        keep(db, folder, MEMORY_MB, LONG_AFTER)
    assert not gone.exists()


def test_a_day_that_the_database_cannot_read_holds_no_other_up(
    db: Connection[Any], database: str, pipe: Pipe, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_site(database, "other.example")
    store(pipe)
    store(pipe, site="other.example")
    roll_up(db)
    refused: list[int] = []

    def refuse_first(connection: Connection[Any], *rest: Any) -> Became:
        if not refused:
            refused.append(1)
            with connection.transaction():
                connection.execute("SELECT 1 / 0")
        return write_day(connection, *rest)

    monkeypatch.setattr("writer.archive.work.write_day", refuse_first)
    with pytest.raises(psycopg.errors.DivisionByZero):
        write_due(db, folder, MEMORY_MB, LONG_AFTER)
    assert len(read_filed(db, ALL_DAYS)) == 1


def test_the_choice_of_site_and_days_bounds_what_is_written(
    db: Connection[Any], pipe: Pipe, folder: Path
) -> None:
    store(pipe)
    store(pipe, at=NOON + DAY_US)
    assert write(db, folder, site_id=9_999) == 0
    assert write(db, folder, first=DAY + timedelta(days=1)) == 1
    assert [filed.day for filed in read_filed(db, ALL_DAYS)] == [date(2026, 6, 11)]
    assert write(db, folder) == 1


def test_only_one_writes_at_a_time(
    db: Connection[Any], database: str, pipe: Pipe, folder: Path
) -> None:
    store(pipe)
    with psycopg.connect(database, autocommit=True) as other, alone(other):
        with pytest.raises(Busy):
            write(db, folder)
        assert read_filed(db, ALL_DAYS) == []
    assert write(db, folder) == 1


def test_the_rollups_go_on_while_the_archive_is_written(
    db: Connection[Any], database: str, pipe: Pipe
) -> None:
    store(pipe)
    with psycopg.connect(database, autocommit=True) as other, alone(other):
        assert step(db)


def test_a_day_that_changes_while_it_is_written_is_not_recorded(
    db: Connection[Any], database: str, pipe: Pipe, folder: Path
) -> None:
    store(pipe)
    roll_up(db)
    with psycopg.connect(database) as stage:
        stage.execute("UPDATE site_day SET touched = touched + 1000000")
        found: list[Any] = []
        writing = threading.Thread(
            target=lambda: found.append(write_due(db, folder, MEMORY_MB, LONG_AFTER))
        )
        writing.start()
        wait_until_blocked(database)
        stage.commit()
        writing.join(60)
    assert found == [{Became.TOUCHED: 1}]
    assert read_filed(db, ALL_DAYS) == []
    assert files_in(folder) == []


def wait_until_blocked(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as watching:
        for _ in range(3_000):
            row = watching.execute(
                "select count(*) from pg_stat_activity"
                " where datname = current_database() and wait_event_type = 'Lock'"
            ).fetchone()
            if row and row[0]:
                return
            threading.Event().wait(0.02)
    raise AssertionError("nobody waits for the lock")


@pytest.mark.parametrize("failpoint", ARCHIVE)
@pytest.mark.parametrize("before", [0, 1])
def test_a_death_at_any_moment_leaves_the_old_file_or_the_new_one(
    db: Connection[Any], database: str, pipe: Pipe, folder: Path, failpoint: str, before: int
) -> None:
    store(pipe)
    if before:
        assert write(db, folder) == 1
        store(pipe, count=2, at=NOON + 60_000_000)
    roll_up(db)
    died = subprocess.run(
        [sys.executable, "-c", _WRITE, database, str(folder)],
        env={VARIABLE: failpoint, "PYTHONPATH": ":".join(sys.path)},
        timeout=120,
        check=False,
        capture_output=True,
    )
    assert died.returncode == -9, died.stderr.decode()
    found = read_filed(db, ALL_DAYS)
    is_new = failpoint == "archive_recorded"
    assert [(f.version > before, f.rows) for f in found if is_new or before] == (
        [(is_new, 5 if before and is_new else 3)] if is_new or before else []
    )
    assert len(found) == int(is_new or before)
    assert [check_file(folder, filed) for filed in found] == [None] * len(found)
    # The next run goes on from whatever stands there, and sweeps up; the server may notice a little
    # later that the one who held the lock is gone.
    age(folder)
    db.execute("SELECT pg_advisory_lock(%s), pg_advisory_unlock(%s)", (Lock.ARCHIVE, Lock.ARCHIVE))
    keep(db, folder, MEMORY_MB, LONG_AFTER)
    filed = only(db)
    assert (filed.rows, filed.stale, check_file(folder, filed)) == (3 + 2 * before, False, None)
    age(folder)
    keep(db, folder, MEMORY_MB, LONG_AFTER)
    assert files_in(folder) == [filed.path]


@pytest.mark.parametrize("damage", ["missing", "cut", "altered"])
def test_a_damaged_file_is_named_and_written_anew_from_rows(
    db: Connection[Any], pipe: Pipe, folder: Path, damage: str
) -> None:
    store(pipe)
    write(db, folder)
    file = folder / only(db).path
    spoil(file, damage)
    assert check_file(folder, only(db)) == damage
    assert verify_some(db, folder, LONG_AFTER, 60) == {damage: 1}
    assert only(db).fault == damage
    assert write(db, folder) == 1
    filed = only(db)
    assert (filed.fault, filed.version > 1, check_file(folder, filed)) == (None, True, None)


@pytest.mark.parametrize("is_small", [False, True])
def test_a_file_of_another_definition_is_made_anew_also_when_it_is_all_there_is(
    db: Connection[Any], pipe: Pipe, folder: Path, monkeypatch: pytest.MonkeyPatch, is_small: bool
) -> None:
    for visitor in range(4):
        store(pipe, ip=f"203.0.113.{visitor}", at=NOON + visitor, props={"n": 1.5, "p": "x"})
    store(pipe, name="engagement", engaged_ms=5_000, at=NOON + 3_600_000_000)
    write(db, folder)
    old = only(db)
    before = contents_of(folder / old.path)
    db.execute("update site_day set state = 'file'")
    db.execute("delete from events")
    assert write(db, folder) == 0
    db.execute("update archive_file set definition = 0")
    if is_small:
        monkeypatch.setattr(again, "_BYTES_OF_A_ROW", 10 * 1024 * 1024)
    spoiled = (folder / old.path).read_bytes()
    (folder / old.path).write_bytes(spoiled[:-1] + b"x")
    assert write(db, folder) == 0
    (folder / old.path).write_bytes(spoiled)
    assert write(db, folder) == 1
    new = only(db)
    assert (new.stale, new.state, new.rows, new.version > old.version) == (
        False, "file", old.rows, True,
    )  # fmt: skip
    assert new.commit_no == old.commit_no
    assert contents_of(folder / new.path) == before
    assert write(db, folder) == 0


def contents_of(file: Path) -> list[Any]:
    with duckdb.connect() as duck:
        asked = "SELECT * REPLACE (epoch_us(ts) AS ts) FROM read_parquet(?) ORDER BY boot, seq, idx"
        return duck.execute(asked, [str(file)]).fetchall()


def test_a_file_that_is_swept_up_while_it_is_verified_is_no_fault(
    db: Connection[Any], pipe: Pipe, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(pipe)
    write(db, folder)
    old = only(db)
    store(pipe, at=NOON + 3_600_000_000)
    assert write(db, folder) == 1
    assert verify(db, folder, old) is None

    def read_and_lose(*_: object) -> None:
        (folder / old.path).unlink()

    with monkeypatch.context() as patch:
        patch.setattr(check, "check_file", read_and_lose)
        assert verify(db, folder, old) is None
    assert verify(db, folder, old) is None
    assert only(db).fault is None


def spoil(file: Path, damage: str) -> None:
    whole = file.read_bytes()
    file.unlink()
    if damage == "cut":
        file.write_bytes(whole[:-100])
    if damage == "altered":
        middle = len(whole) // 2
        file.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])


def test_bytes_that_nobody_has_read_for_long_are_read_again(
    db: Connection[Any], pipe: Pipe, folder: Path
) -> None:
    store(pipe)
    write(db, folder)
    filed = only(db)
    file = folder / filed.path
    whole = file.read_bytes()
    with file.open("r+b") as opened:
        opened.seek(len(whole) // 2)
        opened.write(bytes([whole[len(whole) // 2] ^ 1]))
    os.utime(file, ns=(filed.mtime_ns, filed.mtime_ns))
    assert verify_some(db, folder, datetime.now(UTC), 60) == {}
    assert verify_some(db, folder, datetime.now(UTC) + timedelta(days=31), 60) == {"altered": 1}


def test_a_run_leaves_the_rest_to_the_next_one_when_its_time_is_up(
    db: Connection[Any], pipe: Pipe, folder: Path
) -> None:
    store(pipe)
    store(pipe, at=NOON + DAY_US)
    roll_up(db)
    written = [keep(db, folder, MEMORY_MB, LONG_AFTER, Limits(write_s=-1.0))]
    written.append(keep(db, folder, MEMORY_MB, LONG_AFTER))
    assert written == [0, 2]


def test_a_day_larger_than_the_memory_is_written_all_the_same(
    db: Connection[Any], database: str, pipe: Pipe, folder: Path
) -> None:
    store(pipe)
    db.execute(
        "insert into events (site_id, ts, event_id, commit_in, day, hour, received_at, visitor,"
        " name, interactive, title, page)"
        " select site_id, ts + n * interval '1 microsecond', gen_random_uuid(), commit_in, day,"
        " hour, received_at, (hashint8(n) % 20000)::bigint, name, interactive,"
        " repeat(md5(n::text), 20), '/' || n % 500"
        " from (select * from events limit 1) e, generate_series(1, 60000) n"
    )
    roll_up(db)
    assert write_due(db, folder, 128, LONG_AFTER)[Became.WRITTEN] == 1
    assert rows_in(folder / only(db).path) == 60_003


def test_one_day_that_cannot_be_written_does_not_hold_up_the_others(
    db: Connection[Any], pipe: Pipe, folder: Path
) -> None:
    store(pipe)
    store(pipe, at=NOON + DAY_US)
    roll_up(db)
    blocked = folder / f"site={only_site(db)}" / f"day={DAY}"
    blocked.parent.mkdir(parents=True)
    blocked.write_text("in the way")
    with pytest.raises(OSError, match=str(DAY)):
        write_due(db, folder, MEMORY_MB, LONG_AFTER)
    assert [filed.day for filed in read_filed(db, ALL_DAYS)] == [date(2026, 6, 11)]


def only_site(db: Connection[Any]) -> int:
    row = db.execute("select site_id from site").fetchone()
    assert row is not None
    return int(row[0])


def test_days_of_every_site_are_written(database: str, pipe: Pipe, folder: Path) -> None:
    put_site(database, "other.example")
    store(pipe)
    store(pipe, site="other.example")
    assert {filed.site for filed in write_archive(database, folder)} == {
        "example.com",
        "other.example",
    }
