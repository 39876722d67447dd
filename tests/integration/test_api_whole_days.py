"""Instants that cut none of the site's days are days."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import insert

from api.database import open_pool
from api.query.days import whole_days
from api.query.ranges import Days, Instants, Range
from writer.tables import site_day

pytestmark = pytest.mark.anyio

MIDNIGHT = datetime(2024, 5, 13, 22, tzinfo=UTC)
DAY = timedelta(days=1)
FIRST, SECOND = date(2024, 5, 14), date(2024, 5, 15)


async def days_of(database: str, since: datetime, until: datetime) -> Range:
    """Of a site with two days in a row, of 24 and of 23 hours."""
    async with open_pool(database, 1) as pool, pool.begin() as db:
        ends = (MIDNIGHT, MIDNIGHT + DAY, MIDNIGHT + 2 * DAY - timedelta(hours=1))
        rows = [
            {"site_id": 1, "day": day, "starts_at": ends[place], "ends_at": ends[place + 1]}
            for place, day in enumerate((FIRST, SECOND))
        ]
        await db.execute(insert(site_day), rows)
        return await whole_days(db, 1, Instants(since, until))


@pytest.mark.parametrize(
    ("since", "until", "first", "last"),
    [
        (MIDNIGHT, MIDNIGHT + DAY, FIRST, FIRST),
        (MIDNIGHT, MIDNIGHT + 2 * DAY - timedelta(hours=1), FIRST, SECOND),
        (MIDNIGHT - timedelta(hours=5), MIDNIGHT + 3 * DAY, FIRST, SECOND),
    ],
)
async def test_whole_days_are_found_by_where_they_begin_and_end(
    database: str, since: datetime, until: datetime, first: date, last: date
) -> None:
    assert await days_of(database, since, until) == Days(first, last)


@pytest.mark.parametrize(
    ("since", "until"),
    [
        (MIDNIGHT + timedelta(microseconds=1), MIDNIGHT + DAY),
        (MIDNIGHT, MIDNIGHT + DAY - timedelta(seconds=1)),
        (MIDNIGHT, MIDNIGHT + 2 * DAY - timedelta(hours=2)),
        (MIDNIGHT - 3 * DAY, MIDNIGHT - DAY),
    ],
)
async def test_a_day_that_is_cut_stays_instants(
    database: str, since: datetime, until: datetime
) -> None:
    assert await days_of(database, since, until) == Instants(since, until)
