"""Site-days that a test moves along by hand: stored, rolled up, archived, left, waited for."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from shared.clock import US_PER_DAY
from shared.keys import read_private_keys
from tests.writer_world import NOON, SEAL_KEY, SITE, FakeEdge, Pipe, put_site
from writer.archive.work import write_due
from writer.jobs.client_ids import forget_client_ids
from writer.jobs.restore import restore_all
from writer.jobs.retention import keep_to_limits
from writer.quarantine.replay import Replay
from writer.rollups.step import step
from writer.store import Outcome
from writer.waiting import store_ready

DAY = "2026-06-10"
DEFAULT_KEEP_DAYS = 1095
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Days:
    """One site whose rows leave after eight days, and the jobs, at the test's own time."""

    def __init__(self, database: str, folder: Path, db: psycopg.Connection[Any]) -> None:
        self.database = database
        self.folder = folder
        self.db = db
        self.pipe = Pipe(database)
        self.edge = FakeEdge()
        self.site_id = put_site(database, rows_in_database_days=8)

    def put(self, *envelopes: Any) -> Outcome:
        """One batch."""
        [outcome] = self.pipe.put(self.edge.entry(envelopes))
        return outcome

    def pass_days(self, days: int) -> None:
        """It is so many days after noon of the first day; what is forgotten by then is."""
        # The database wrote down the time of this machine; here they came at once.
        came = "update client_id set claimed_at = received_at where claimed_at > %s"
        self.db.execute(came, (self.now,))
        self.pipe.now = NOON + days * US_PER_DAY
        forget_client_ids(self.db, self.now)

    @property
    def now(self) -> datetime:
        """The writer's time."""
        return _EPOCH + timedelta(microseconds=self.pipe.now)

    def roll_up(self) -> None:
        while step(self.db):
            pass
        self.db.execute("update rollup_progress set looked_at = %s", (self.now,))

    def archive(self) -> None:
        """What is closed and has no current file gets one."""
        self.roll_up()
        write_due(self.db, self.folder, 256, self.now)

    def keep_to_limits(self) -> int:
        return keep_to_limits(self.db, self.now, DEFAULT_KEEP_DAYS, self.folder)

    def leave(self) -> int:
        """Twenty days later the rows are in the archive alone; returns how many."""
        self.pass_days(20)
        self.archive()
        return self.keep_to_limits()

    def restore(self) -> int:
        return restore_all(self.db, self.folder)

    def store_ready(self) -> int:
        keys = read_private_keys(SEAL_KEY)
        return store_ready(self.db, Replay(self.db, keys, self.pipe.preparer, self.pipe.store))

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        return self.db.execute(statement.encode()).fetchall()

    @property
    def states(self) -> list[str]:
        """Of each day, oldest first."""
        return [state for (state,) in self.ask("select state from site_day order by site_id, day")]

    @property
    def outcomes(self) -> dict[str, int]:
        """What the ledger counts."""
        found = self.ask("select outcome, sum(events)::int from ledger_count group by 1")
        return {outcome: n for outcome, n in found if n}

    @property
    def contents(self) -> list[tuple[Any, ...]]:
        """Every row that stands, but for when it was stored."""
        return self.ask(
            "select to_jsonb(e) - 'commit_in' from events e where commit_out is null"
            " order by ts, event_id"
        )

    @property
    def rollups(self) -> list[tuple[Any, ...]]:
        return self.ask(
            "select to_jsonb(r) - 'site_id' from rollup_day r union all"
            " select to_jsonb(r) - 'site_id' from rollup_hour r order by 1"
        )


@contextmanager
def days_world(database: str, folder: Path) -> Iterator[Days]:
    with psycopg.connect(database, autocommit=True, options="-c timezone=UTC") as db:
        world = Days(database, folder, db)
        yield world
        world.pipe.close()


__all__ = ["DAY", "SITE", "Days", "days_world"]
