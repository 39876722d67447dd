"""Generated events put into a database, over several commits, as a site of their own."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from api.sites import Site, put_site
from tests.oracle.saved import NOTHING_SAVED, Saved
from tests.oracle.traffic import COMMITS, Event
from writer.tables import commits, events, exclusion, goal, segment


async def store(
    pool: AsyncEngine, key: str, zone: str, rows: Sequence[Event]
) -> tuple[Site, list[Event]]:
    """(the site, the rows with the numbers of the commits that they came and went in)."""
    now = datetime.now(UTC)
    async with pool.begin() as db:
        found = await put_site(db, key, {"time_zone": zone}, now)
    numbers = await _draw_numbers(pool)
    placed = [
        {
            **row,
            "commit_in": numbers[row["commit_in"] - 1],
            "commit_out": numbers[row["commit_out"] - 1] if row["commit_out"] else None,
        }
        for row in rows
    ]
    if placed:
        async with pool.begin() as db:
            stored: list[dict[str, Any]] = [
                {**row, "site_id": found.site_id, "received_at": row["ts"]} for row in placed
            ]
            await db.execute(insert(events), stored)
            these = commits.c.commit_no.in_(numbers)
            await db.execute(update(commits).where(these).values(events=len(stored)))
    return found, placed


async def save(pool: AsyncEngine, site_id: int, saved: Saved = NOTHING_SAVED) -> Saved:
    """What the site saves by name; returned with the numbers that its segments got."""
    async with pool.begin() as db:
        for name, filters in saved.goals.items():
            await db.execute(insert(goal).values(site_id=site_id, name=name, filters=filters))
        for number, filters in enumerate(saved.exclusions):
            row = {"site_id": site_id, "name": f"exclusion {number}", "filters": filters}
            await db.execute(insert(exclusion).values(row))
        numbers = {}
        for number, filters in saved.segments.items():
            row = {"site_id": site_id, "name": f"segment {number}", "filters": filters}
            added = insert(segment).values(row).returning(segment.c.segment_id)
            numbers[int(await db.scalar(added) or 0)] = filters
    return Saved(saved.goals, numbers, saved.exclusions)


async def _draw_numbers(pool: AsyncEngine) -> list[int]:
    numbers = []
    for _ in range(COMMITS):
        async with pool.begin() as db:
            numbers.append(int(await db.scalar(select(func.open_commit())) or 0))
    return numbers
