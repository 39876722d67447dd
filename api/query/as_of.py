"""The settled commit that an answer holds for, and the days that rollups lack something of.

Rollups are a stage behind the store. While they follow closely, answers hold for the commit that
the rollups have reached. Where they have fallen behind, answers hold for the settled commit, and
the days that later commits touched are counted from rows.
"""

from datetime import timedelta

import msgspec
from sqlalchemy import and_, func, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from api.query.plan import spans_of
from api.query.ranges import Days
from writer.tables import commits, events, rollup_progress

FOLLOWS_WITHIN = timedelta(seconds=5)
"""A stage that lags by less is followed; one that has not looked for so long is taken for dead."""

MAX_EVENTS = 100_000
"""Of more events after the rollups' commit, only the time in which they lie is looked at."""

_SLACK = timedelta(days=3)


class AsOf(msgspec.Struct, frozen=True):
    """``commit``: settled; the answer's. ``rolled``: what rollups hold for, at most that; 0: there
    are none."""

    commit: int
    rolled: int


async def read_as_of(db: AsyncConnection) -> AsOf:
    """As the transaction's snapshot has it."""
    progress = rollup_progress.c
    recently = func.now() - FOLLOWS_WITHIN
    unrolled = (
        select(commits.c.at)
        .where(commits.c.commit_no > progress.commit_no)
        .order_by(commits.c.commit_no)
        .limit(1)
        .scalar_subquery()
    )
    follows = and_(progress.looked_at > recently, func.coalesce(unrolled > recently, True))
    asked = select(progress.commit_no, func.settled(), func.coalesce(follows, False))
    rolled, settled, is_followed = (await db.execute(asked)).one()
    return AsOf(rolled if is_followed and rolled else int(settled), rolled)


async def read_touched(db: AsyncConnection, site_id: int, as_of: AsOf) -> tuple[Days, ...]:
    """Days of the site that commits after the rollups' touched, or may have."""
    if as_of.rolled == as_of.commit:
        return ()
    number = commits.c.commit_no
    extent = select(
        func.min(commits.c.first_ts),
        func.max(commits.c.last_ts),
        func.coalesce(func.sum(commits.c.events), 0),
    ).where(number > as_of.rolled, number <= as_of.commit)
    since, until, amount = (await db.execute(extent)).one()
    if amount > MAX_EVENTS and since is not None:
        return (Days((since - _SLACK).date(), (until + _SLACK).date()),)
    touching = (
        select(events.c.day).where(
            events.c.site_id == site_id, number > as_of.rolled, number <= as_of.commit
        )
        for number in (events.c.commit_in, events.c.commit_out)
    )
    return spans_of(await db.scalars(union(*touching)))
