"""The registry of edges: whose streams the writers read."""

import re
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import case, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.errors import Code, Refusal
from writer.tables import edge

ALIVE = timedelta(minutes=1)
"""An edge heard so lately cannot be retired: its next heartbeat would bring it back."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class EdgeRow(msgspec.Struct, frozen=True):
    """One edge as of its last heartbeat; ``spooled_…`` waits there for the primary."""

    edge: str
    added_at: datetime
    retired_at: datetime | None
    last_heard: datetime | None
    spooled_batches: int
    spooled_bytes: int


# A spool that holds no batch takes some memory all the same.
_waits = case((edge.c.spooled_batches > 0, edge.c.spooled_bytes), else_=0)
_COLUMNS = {"spooled_bytes": _waits.label("spooled_bytes")}


async def put_edge(db: AsyncConnection, name: str) -> None:
    """Register an edge. Raises Refusal."""
    if not _NAME.fullmatch(name):
        raise Refusal(
            Code.BAD_VALUE,
            "an edge's name has up to 63 lower-case letters, digits and hyphens",
            field="edge",
        )
    new = insert(edge).values(edge=name)
    # One that was retired comes back.
    statement = new.on_conflict_do_update(
        index_elements=["edge"], set_={"retired_at": None}, where=edge.c.retired_at.is_not(None)
    ).returning(edge.c.edge)
    if (await db.execute(statement)).scalar_one_or_none() is None:
        raise Refusal(Code.CONFLICT, f"there is an edge {name} already", field="edge")


async def retire_edge(db: AsyncConnection, name: str) -> EdgeRow:
    """Wait for it no longer; returns what it was last known to hold. Raises Refusal."""
    found = next((row for row in await read_edges(db) if row.edge == name), None)
    if found is None:
        raise Refusal(Code.NOT_FOUND, f"there is no edge {name!r}", field="edge")
    alive = edge.c.last_heard > func.now() - ALIVE
    statement = update(edge).where(edge.c.edge == name, alive.is_not(True))
    values = statement.values(retired_at=func.coalesce(edge.c.retired_at, func.now()))
    if (await db.execute(values.returning(edge.c.edge))).scalar_one_or_none() is None:
        raise Refusal(
            Code.CONFLICT,
            f"{name} was heard less than a minute ago: end its edge and drain first",
            field="edge",
        )
    return found


async def read_edges(db: AsyncConnection) -> list[EdgeRow]:
    """Every edge, by name."""
    columns = [_COLUMNS.get(name, edge.c[name]) for name in EdgeRow.__struct_fields__]
    rows = await db.execute(select(*columns).order_by(edge.c.edge))
    return [EdgeRow(*row) for row in rows]
