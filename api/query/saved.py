"""What a site has saved by name: goals, segments and exclusions."""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Text, cast, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from writer.tables import exclusion, goal, segment

GOAL, SEGMENT, EXCLUSION = "goal", "segment", "exclusion"


class Saved(msgspec.Struct, frozen=True):
    """Filters as they are written on the wire: of goals and exclusions by name, of segments by
    their id."""

    goals: Mapping[str, list[Any]] = {}
    segments: Mapping[int, list[Any]] = {}
    exclusions: Mapping[str, list[Any]] = {}


NOTHING_SAVED = Saved()


async def read_saved(db: AsyncConnection, site_id: int) -> Saved:
    """All that the site has, by name."""
    kinds = (
        (GOAL, goal, goal.c.goal_id),
        (SEGMENT, segment, segment.c.segment_id),
        (EXCLUSION, exclusion, exclusion.c.exclusion_id),
    )
    each = (
        select(
            cast(literal(kind), Text).label("kind"),
            number.label("number"),
            table.c.name,
            table.c.filters,
        ).where(table.c.site_id == site_id)
        for kind, table, number in kinds
    )
    rows = sorted(await db.execute(union_all(*each)), key=lambda row: row.name)
    return Saved(
        {row.name: row.filters for row in rows if row.kind == GOAL},
        {row.number: row.filters for row in rows if row.kind == SEGMENT},
        {row.name: row.filters for row in rows if row.kind == EXCLUSION},
    )
