"""Up to when what an answer counted can no longer change, as of its own commit."""

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.completeness import DAY_CLOSES_AFTER, closed_through
from api.query.ranges import Days, Range
from api.sites import Site
from shared.completeness import READ, Found, final_until, judge, parameters
from writer.tables import commits

AHEAD = timedelta(minutes=5)
"""An event may say that it happened so long after it was received."""


class Finality(NamedTuple):
    """``until``: all that any edge received before is counted. None: nobody can tell."""

    until: datetime | None

    def covers(self, wanted: Range, found: Site) -> bool:
        """Whether nothing of the range can change any more."""
        if self.until is None:
            return False
        if isinstance(wanted, Days):
            return wanted.last <= closed_through(found, self.until)
        return wanted.until + DAY_CLOSES_AFTER <= self.until


async def read_finality(db: AsyncConnection, as_of: int, now: datetime) -> Finality:
    """What the ledger knows is stored may have come with commits that the answer does not hold
    for: nothing of theirs was received much before it happened."""
    rows = await db.exec_driver_sql(READ, parameters(now))
    stored = final_until([judge(Found._make(row), now) for row in rows])
    number = commits.c.commit_no
    asked = select(
        func.count().filter(commits.c.events > 0, commits.c.first_ts.is_(None)),
        func.min(commits.c.first_ts),
    ).where(number > as_of)
    unknown, first_ts = (await db.execute(asked)).one()
    if stored is None or unknown:
        return Finality(None)
    return Finality(stored if first_ts is None else min(stored, first_ts - AHEAD))
