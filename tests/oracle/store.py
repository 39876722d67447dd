"""Generated events put into a database, over several commits, as a site of their own."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from api.sites import Site, put_site
from tests.oracle.traffic import COMMITS, Event
from writer.tables import events


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
    return found, placed


async def _draw_numbers(pool: AsyncEngine) -> list[int]:
    numbers = []
    for _ in range(COMMITS):
        async with pool.begin() as db:
            numbers.append(int(await db.scalar(select(func.open_commit())) or 0))
    return numbers
