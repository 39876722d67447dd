"""The registry of edges: whose streams the writers read."""

import re
from datetime import datetime

import msgspec
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.errors import Code, Refusal
from writer.tables import edge

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class EdgeRow(msgspec.Struct, frozen=True):
    """One edge as of its last heartbeat; ``spooled_…`` waits there for the primary."""

    edge: str
    added_at: datetime
    retired_at: datetime | None
    last_heard: datetime | None
    spooled_batches: int
    spooled_bytes: int


async def put_edge(db: AsyncConnection, name: str) -> None:
    """Register an edge. Raises Refusal."""
    if not _NAME.fullmatch(name):
        raise Refusal(
            Code.BAD_VALUE,
            "an edge's name has up to 63 lower-case letters, digits and hyphens",
            field="edge",
        )
    statement = insert(edge).values(edge=name).on_conflict_do_nothing().returning(edge.c.edge)
    if (await db.execute(statement)).scalar_one_or_none() is None:
        raise Refusal(Code.CONFLICT, f"there is an edge {name} already", field="edge")


async def read_edges(db: AsyncConnection) -> list[EdgeRow]:
    """Every edge, by name."""
    columns = [edge.c[name] for name in EdgeRow.__struct_fields__]
    rows = await db.execute(select(*columns).order_by(edge.c.edge))
    return [EdgeRow(*row) for row in rows]
