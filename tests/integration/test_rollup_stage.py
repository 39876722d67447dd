"""The rollup stage: step by step, cut off, beside others, and as a part of the writer."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection
from psycopg.sql import SQL

from tests.rollup_world import Naive, commit, connect, event, put_day, stored_days, stored_hours
from tests.writer_world import FakeEdge, Pipe, envelope, put_setting, put_site
from writer.database.locks import Lock, trying, waiting
from writer.rollups.days import bounds, find_changed
from writer.rollups.put import drop_day
from writer.rollups.rebuild import find_days, rebuild, verify
from writer.rollups.stage import Stage
from writer.rollups.step import step
from writer.rollups.sums import Sums

_ROOT = Path(__file__).resolve().parents[2]
_ONE_STEP = """
import sys
from tests.rollup_world import connect
from writer.rollups.step import step
with connect(sys.argv[1]) as connection:
    step(connection)
"""

_ONLY_A_STAGE = """
import asyncio, sys
from writer.rollups.stage import Stage
asyncio.run(Stage(sys.argv[1]).run())
"""


@pytest.fixture
def connection(database: str) -> Iterator[Connection[Any]]:
    with connect(database) as made:
        yield made


@pytest.fixture
def site_id(database: str) -> int:
    return put_site(database)


def _progress(connection: Connection[Any]) -> int:
    row = connection.execute("SELECT commit_no FROM rollup_progress").fetchone()
    assert row is not None
    return int(row[0])


def _total(connection: Connection[Any], site_id: int, name: str = "events") -> int:
    return sum(sums[name] for key, sums in stored_days(connection, site_id).items() if key[0] == "")


def test_a_step_with_nothing_to_do_says_so(connection: Connection[Any], site_id: int) -> None:
    assert not step(connection)
    commit(connection, site_id, [event(1)])
    assert step(connection)
    assert not step(connection)
    assert _total(connection, site_id) == 1


def test_steps_take_only_settled_commits(
    connection: Connection[Any], database: str, site_id: int
) -> None:
    with connect(database) as other, other.transaction():
        other.execute("SELECT open_commit()")
        commit(connection, site_id, [event(1)])
        assert not step(connection)
    assert step(connection)
    assert _total(connection, site_id) == 1


def test_a_step_is_no_larger_than_told_but_for_one_commit(
    connection: Connection[Any], site_id: int
) -> None:
    numbers = [commit(connection, site_id, [event(n), event(n + 100)]) for n in range(1, 5)]
    connection.execute("UPDATE commits SET events = 2")
    steps = []
    while step(connection, most_events=5):
        steps.append(_progress(connection))
    assert steps == [numbers[1], numbers[3]]
    connection.execute("UPDATE rollup_progress SET commit_no = 0")
    assert step(connection, most_events=1)
    assert _progress(connection) == numbers[0]


def test_two_at_once_do_each_step_once(
    connection: Connection[Any], database: str, site_id: int
) -> None:
    commit(connection, site_id, [event(1)])
    with connect(database) as other:
        with trying(other, Lock.ROLLUPS) as is_mine:
            assert is_mine
            assert not step(connection)
        assert step(other)
        assert not step(connection)
    assert _total(connection, site_id) == 1


@pytest.mark.parametrize(("failpoint", "is_done"), [("summed", False), ("rolled_up", True)])
def test_a_kill_leaves_a_step_made_or_not_made(
    connection: Connection[Any], database: str, site_id: int, failpoint: str, is_done: bool
) -> None:
    seen = [event(1), event(2, visitor=1, page="/b")]
    commit(connection, site_id, seen)
    killed = subprocess.run(
        [sys.executable, "-c", _ONE_STEP, database],
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": str(_ROOT), "MILLRACE_FAILPOINT": failpoint},
        timeout=60,
        check=False,
    )
    assert killed.returncode == -9
    assert (_total(connection, site_id) == 2) == is_done
    # The server may notice a little later that the one who held the lock is gone.
    with waiting(connection, Lock.ROLLUPS):
        pass
    assert step(connection) != is_done
    assert stored_days(connection, site_id) == dict(Naive(seen).days)


def test_rows_that_retention_deletes_stay_in_the_rollups(
    connection: Connection[Any], site_id: int
) -> None:
    commit(connection, site_id, [event(1), event(2)])
    assert step(connection)
    connection.execute("DELETE FROM events")
    commit(connection, site_id, [event(90_000)])
    assert step(connection)
    assert _total(connection, site_id) == 3


def test_a_commit_that_stored_nothing_widens_no_step(
    connection: Connection[Any], database: str
) -> None:
    put_site(database)
    edge, pipe = FakeEdge(), Pipe(database)
    repeated = edge.entry([envelope()])
    pipe.put(repeated)
    pipe.put(repeated)
    [(commits, stored)] = connection.execute(
        "SELECT count(*)::int, sum(events)::int FROM commits"
    ).fetchall()
    assert (commits, stored) == (2, 1)
    pipe.close()
    assert "ts >=" in bounds(connection, 0, 2).as_string(connection)
    assert bounds(connection, 1, 2) == SQL("false")
    assert find_changed(connection, 1, 2) is None


def test_a_day_is_touched_by_whatever_changes_in_it_robots_too(
    connection: Connection[Any], site_id: int
) -> None:
    put_day(connection, site_id)
    first = commit(connection, site_id, [event(1)])
    robot = commit(connection, site_id, [event(2, bot="Googlebot")])
    gone = commit(connection, site_id, [], [event(1)])
    connection.execute("UPDATE commits SET events = 1")
    touched = []
    while step(connection, most_events=1):
        touched += connection.execute("SELECT touched FROM site_day").fetchall()
    assert touched == [(first,), (robot,), (gone,)]
    assert stored_days(connection, site_id) == {}
    assert stored_hours(connection, site_id) == {}


def test_a_dimension_with_too_many_values_leaves_the_day_until_a_rebuild(
    connection: Connection[Any], site_id: int
) -> None:
    sums = Sums(max_values=3)
    few = [event(n, page=f"/{n}") for n in range(3)]
    more = [event(n, page=f"/{n}") for n in range(3, 5)]
    commit(connection, site_id, few)
    assert step(connection, sums)
    assert stored_days(connection, site_id) == dict(Naive(few).days)
    commit(connection, site_id, more)
    assert step(connection, sums)
    _lacks(connection, site_id, few + more, {"page", "entry_page", "exit_page"})
    commit(connection, site_id, [], more)
    assert step(connection, sums)
    _lacks(connection, site_id, few, {"page", "entry_page", "exit_page"})
    of = find_days(connection, site_id)[0]
    assert verify(connection, of, sums) is None
    assert rebuild(connection, of, sums)
    assert stored_days(connection, site_id) == dict(Naive(few).days)


def test_too_many_values_are_noticed_when_two_stages_add_them_by_turns(
    connection: Connection[Any], site_id: int
) -> None:
    seen = []
    for number in range(8):
        commit(connection, site_id, [event(number, page=f"/{number}")])
        seen.append(event(number, page=f"/{number}"))
    connection.execute("UPDATE commits SET events = 1")
    stages = [Sums(max_values=7), Sums(max_values=7)]
    for number in range(7):
        assert step(connection, stages[number % 2], most_events=1)
    assert stored_days(connection, site_id) == dict(Naive(seen[:7]).days)
    assert step(connection, stages[1])
    _lacks(connection, site_id, seen, {"page", "entry_page", "exit_page"})


def test_one_step_with_too_many_values_writes_none_of_them(
    connection: Connection[Any], site_id: int
) -> None:
    many = [event(n, page=f"/{n}", name=f"n{n}") for n in range(9)]
    commit(connection, site_id, many)
    assert step(connection, Sums(max_values=8))
    _lacks(connection, site_id, many, {"page", "name"})


def _lacks(connection: Connection[Any], site_id: int, seen: Any, dimensions: set[str]) -> None:
    naive = Naive(seen)
    days = {key: sums for key, sums in naive.days.items() if key[0] not in dimensions}
    hours = {key: sums for key, sums in naive.hours.items() if key[0] not in dimensions}
    assert stored_days(connection, site_id) == days
    assert stored_hours(connection, site_id) == hours
    left = connection.execute("SELECT dimension FROM rollup_left_out").fetchall()
    assert {dimension for (dimension,) in left} == dimensions


def test_a_prop_declared_during_a_day_is_rolled_up_from_the_next_day_or_a_rebuild(
    connection: Connection[Any], database: str, site_id: int
) -> None:
    today = [event(1, props={"plan": "pro"}), event(2, visitor=1)]
    commit(connection, site_id, today[:1])
    assert step(connection)
    put_setting(database, site_id, "props", ["plan"], 0)
    tomorrow = [event(90_000, props={"plan": "free"})]
    commit(connection, site_id, today[1:] + tomorrow)
    assert step(connection)
    expected = {**Naive(today).days, **Naive(tomorrow, ["plan"]).days}
    assert stored_days(connection, site_id) == expected
    for of in find_days(connection, site_id):
        assert rebuild(connection, of, Sums())
    assert stored_days(connection, site_id) == dict(Naive(today + tomorrow, ["plan"]).days)


def test_a_rebuild_in_parts_and_a_dropped_day(
    connection: Connection[Any], site_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("writer.rollups.rebuild._A_PART", 2)
    seen = [event(n, visitor=n % 3 - 1, page=f"/{n % 2}") for n in range(7)]
    seen.append(event(8, visitor=None))
    commit(connection, site_id, seen)
    assert step(connection)
    of = find_days(connection, site_id)[0]
    with connection.transaction():
        drop_day(connection, *of)
    assert stored_days(connection, site_id) == {}
    assert rebuild(connection, of, Sums())
    assert stored_days(connection, site_id) == dict(Naive(seen).days)


def test_days_without_their_rows_are_passed_over(connection: Connection[Any], site_id: int) -> None:
    put_day(connection, site_id)
    commit(connection, site_id, [event(1)])
    assert step(connection)
    of = find_days(connection, site_id)[0]
    connection.execute("DELETE FROM events")
    connection.execute("UPDATE site_day SET state = 'gone'")
    assert find_days(connection, site_id) == []
    assert not rebuild(connection, of, Sums())
    assert verify(connection, of, Sums()) is None
    assert _total(connection, site_id) == 1


def test_one_step_takes_many_sites_and_days_each_for_itself(
    connection: Connection[Any], database: str, site_id: int
) -> None:
    other = put_site(database, "other.example", props=["plan"])
    ours = [event(1), event(90_000, visitor=1), event(180_000)]
    theirs = [event(1, props={"plan": "x"}), event(2, visitor=1), event(90_000)]
    commit(connection, site_id, ours)
    commit(connection, other, theirs)
    assert step(connection)
    assert not step(connection)
    assert stored_days(connection, site_id) == dict(Naive(ours).days)
    assert stored_days(connection, other) == dict(Naive(theirs, ["plan"]).days)


@pytest.mark.anyio
async def test_the_stage_follows_what_is_stored_and_says_that_it_is_alive(
    connection: Connection[Any], database: str, site_id: int
) -> None:
    stage = Stage(database)
    running = asyncio.create_task(stage.run())
    try:
        await _until(lambda: _looked(connection))
        for number in range(1, 4):
            commit(connection, site_id, [event(number)])
            await _until(lambda number=number: _total(connection, site_id) == number)
        await _until(lambda: stage.told.commits == 0)
        assert stage.readiness() == {}
    finally:
        await _end(running)


@pytest.mark.anyio
async def test_the_stage_waits_for_a_database_that_takes_nothing(
    connection: Connection[Any], database: str, site_id: int
) -> None:
    name = database.rpartition("/")[2]
    connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'.encode())
    commit(connection, site_id, [event(1)])
    stage = Stage(database)
    running = asyncio.create_task(stage.run())
    try:
        await _until(lambda: "rollups" in stage.readiness())
        connection.execute(
            f'ALTER DATABASE "{name}" SET default_transaction_read_only = off'.encode()
        )
        await _until(lambda: _total(connection, site_id) == 1)
        await _until(lambda: stage.readiness() == {})
    finally:
        await _end(running)


@pytest.mark.anyio
async def test_the_stage_s_process_is_started_anew_when_it_dies(
    connection: Connection[Any], database: str, site_id: int
) -> None:
    stage = Stage(database)
    running = asyncio.create_task(stage.run())
    try:
        await _until(lambda: _looked(connection))
        first = stage.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        commit(connection, site_id, [event(1)])
        await _until(lambda: _total(connection, site_id) == 1)
        assert stage.pid not in (first, None)
    finally:
        await _end(running)


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM])
def test_the_stage_s_process_ends_with_its_writer_however_that_ends(
    connection: Connection[Any], database: str, by: signal.Signals
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _ONLY_A_STAGE, database],
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        stderr=subprocess.PIPE,
    ) as writer:
        while not _looked(connection):
            assert writer.poll() is None
        writer.send_signal(by)
        # Both hold it, so that it ends when the last of them has.
        writer.communicate(timeout=60)


def _looked(connection: Connection[Any]) -> bool:
    row = connection.execute("SELECT looked_at IS NOT NULL FROM rollup_progress").fetchone()
    return row == (True,)


async def _until(holds: Any) -> None:
    async with asyncio.timeout(60):
        while not await asyncio.to_thread(holds):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def _end(running: "asyncio.Task[None]") -> None:
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
