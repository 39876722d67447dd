"""Whatever happens to days, and whoever dies of it, all is as if no row had ever left.

Two sites get the same events. The rows of one leave, come back and leave again, in any order and
with deaths in between; those of the other stay. In the end both have the same sums and rows, and
the ledger counts the same outcomes.
"""

from collections.abc import Callable
from pathlib import Path
from random import Random
from time import sleep
from typing import Any

import psycopg
import pytest

from shared.clock import US_PER_DAY, US_PER_HOUR
from tests.days_world import SITE, Days, days_world
from tests.writer_world import NOON, envelope, put_key, put_site
from writer.jobs import leave, restore, rows_of_file, site_days

STAYS = "stays.example"
DAYS = 3
STEPS = 35


def put(days: Days, random: Random) -> None:
    """A few events of the same few days and visitors, to both sites, some of them again."""
    for _ in range(random.randint(1, 3)):
        at = NOON + random.randrange(DAYS) * US_PER_DAY + random.randrange(5) * US_PER_HOUR
        fields: dict[str, Any] = {"title": f"t{random.randrange(4)}", "received_at": at}
        if random.random() < 0.5:
            number = random.randrange(6)
            day, hour = 10 + number % DAYS, 8 + number
            fields = {
                "key": "secret",
                "id": f"00000000-0000-4000-8000-00000000000{number}",
                "ts": f"2026-06-{day}T{hour:02}:00:00Z",
                "received_at": days.pipe.now,
            }
        ip = f"203.0.113.{random.randrange(3)}"
        for site in (SITE, STAYS):
            days.put(envelope(site=site, ip=ip, **fields))
    # Ids of clients are forgotten, so that rows may leave; ids derived from them never are.
    days.pass_days((days.pipe.now - NOON) // US_PER_DAY + 9)


def archive(days: Days, _: Random) -> None:
    days.archive()


def leave_(days: Days, _: Random) -> None:
    days.keep_to_limits()


def restore_(days: Days, _: Random) -> None:
    days.restore()


def store(days: Days, _: Random) -> None:
    days.store_ready()


def roll_up(days: Days, _: Random) -> None:
    days.roll_up()


OPERATIONS: tuple[Callable[[Days, Random], None], ...] = (
    *(put, put, archive, archive, leave_, leave_, restore_, store, roll_up),
)


@pytest.mark.parametrize("seed", range(3))
def test_days_that_move_end_as_days_that_stay(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(site_days, "_PIECE", 1)
    monkeypatch.setattr(rows_of_file, "_PIECE", 1)
    random = Random(seed)
    left = 0
    with days_world(database, tmp_path) as days:
        stays = put_site(database, STAYS)
        put_key(database, "secret", None, scopes=["ingest", "import"])
        days.pass_days(20)
        put(days, random)
        for _ in range(STEPS):
            do = random.choice(OPERATIONS)
            if do in (leave_, restore_) and random.random() < 0.3:
                with_death(days, monkeypatch, do, random)
            else:
                do(days, random)
            left += "file" in days.states
        finish(days)
        assert left, "no row ever left"
        assert summed(days, days.site_id) == summed(days, stays)
        assert stored(days, days.site_id) == stored(days, stays)
        assert counted(days, SITE) == counted(days, STAYS)


def with_death(
    days: Days, monkeypatch: pytest.MonkeyPatch, do: Callable[..., None], random: Random
) -> None:
    """The job's connection ends in the middle of a day: before its state changes, or before any
    of its pieces, which are of one row."""
    left = random.randrange(6)

    def dying_in(work: Callable[..., Any]) -> Callable[..., Any]:
        def die(connection: psycopg.Connection[Any], *rest: object) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                connection.execute("select pg_terminate_backend(pg_backend_pid())")
            return work(connection, *rest)

        return die

    kept = days.db
    with psycopg.connect(days.database, autocommit=True) as dying, monkeypatch.context() as patch:
        pid = dying.info.backend_pid
        for module, name in (
            (leave, "mark"),
            (restore, "mark"),
            (site_days, "delete_piece"),
            (rows_of_file, "put_piece"),
        ):
            patch.setattr(module, name, dying_in(getattr(module, name)))
        days.db = dying
        try:
            do(days, random)
        except psycopg.OperationalError:
            pass
        finally:
            days.db = kept
    # It holds its locks, and later commits back, until its backend is gone.
    while days.ask(f"select 1 from pg_stat_activity where pid = {pid}"):
        sleep(0.01)


def finish(days: Days) -> None:
    """Nothing waits, and every day is back."""
    for number in range(DAYS):
        for site in (SITE, STAYS):
            days.put(envelope(site=site, received_at=NOON + number * US_PER_DAY, title="last"))
    days.restore()
    while days.store_ready():
        days.restore()
    days.roll_up()
    assert set(days.states) <= {"open", "archived"}


def summed(days: Days, site_id: int) -> list[Any]:
    return days.ask(
        f"select to_jsonb(r) - 'site_id' from rollup_day r where site_id = {site_id}"
        " and dimension not like '%hostname%' union all"
        f" select to_jsonb(r) - 'site_id' from rollup_hour r where site_id = {site_id} order by 1"
    )


def stored(days: Days, site_id: int) -> list[Any]:
    return days.ask(
        "select ts, title, day, hour, name, dense_rank() over (order by day, visitor) is not null"
        f" from events where site_id = {site_id} and commit_out is null order by 1, 2"
    )


def counted(days: Days, site: str) -> list[Any]:
    return days.ask(
        "select outcome, sum(events)::int from ledger_count"
        f" where site = '{site}' group by 1 having sum(events) > 0 order by 1"
    )
