"""What owners save by name for a site: goals, segments and exclusions, three of one kind.

Each is a list of filters as `POST /api/v2/query` takes them, all of which must hold.
"""

from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Column, Table, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from api.query.filter_reader import check_saved
from shared.beacon import longer
from shared.errors import Code, Refusal
from writer.tables import exclusion, goal, segment

MAX_NAME = 200
"""Bytes of a name."""
MAX_SAVED = 100
"""Of one kind, for one site."""


class Kind(NamedTuple):
    """``noun``: what one of them is called."""

    noun: str
    table: Table
    id: Column[int]


GOALS = Kind("goal", goal, goal.c.goal_id)
SEGMENTS = Kind("segment", segment, segment.c.segment_id)
EXCLUSIONS = Kind("exclusion", exclusion, exclusion.c.exclusion_id)


class Saved(msgspec.Struct, frozen=True):
    """One of them. ``filters`` as they were written."""

    id: int
    name: str
    filters: list[Any]
    created_at: datetime


async def list_saved(db: AsyncConnection, kind: Kind, site_id: int) -> list[Saved]:
    """By name."""
    column = kind.table.c
    statement = (
        select(kind.id, column.name, column.filters, column.created_at)
        .where(column.site_id == site_id)
        .order_by(func.convert_to(column.name, "UTF8"))
    )
    return [Saved(*row) for row in await db.execute(statement)]


async def put_saved(
    db: AsyncConnection, kind: Kind, site_id: int, name: str, filters: list[Any]
) -> Saved:
    """A new one. Raises Refusal."""
    _check(kind, name, filters)
    await _lock(db, site_id)
    column = kind.table.c
    many = await db.scalar(
        select(func.count()).select_from(kind.table).where(column.site_id == site_id)
    )
    if int(many or 0) >= MAX_SAVED:
        raise Refusal(
            Code.TOO_MANY, f"a site has at most {MAX_SAVED} {kind.noun}s: remove one first"
        )
    statement = insert(kind.table).values(site_id=site_id, name=name, filters=filters)
    added = statement.on_conflict_do_nothing().returning(
        kind.id, column.name, column.filters, column.created_at
    )
    row = (await db.execute(added)).one_or_none()
    if row is None:
        raise _taken(kind, name)
    return Saved(*row)


async def change_saved(
    db: AsyncConnection,
    kind: Kind,
    site_id: int,
    saved_id: int,
    name: str | None,
    filters: list[Any] | None,
) -> Saved:
    """Another name, other filters, or both; None leaves it. Raises Refusal."""
    await _lock(db, site_id)
    there = await list_saved(db, kind, site_id)
    found = next((saved for saved in there if saved.id == saved_id), None)
    if found is None:
        raise _missing(kind, str(saved_id))
    name = found.name if name is None else name
    filters = found.filters if filters is None else filters
    _check(kind, name, filters)
    if any(saved.name == name and saved.id != saved_id for saved in there):
        raise _taken(kind, name)
    await db.execute(
        update(kind.table).where(kind.id == saved_id).values(name=name, filters=filters)
    )
    return msgspec.structs.replace(found, name=name, filters=filters)


async def drop_saved(db: AsyncConnection, kind: Kind, site_id: int, saved_id: int) -> None:
    """Raises Refusal where there is none."""
    statement = delete(kind.table).where(kind.id == saved_id, kind.table.c.site_id == site_id)
    if (await db.execute(statement.returning(kind.id))).first() is None:
        raise _missing(kind, str(saved_id))


async def drop_saved_named(db: AsyncConnection, kind: Kind, site_id: int, name: str) -> None:
    """The same by its name. Raises Refusal."""
    column = kind.table.c
    statement = delete(kind.table).where(column.name == name, column.site_id == site_id)
    if "\0" in name or (await db.execute(statement.returning(kind.id))).first() is None:
        raise _missing(kind, repr(name))


def _check(kind: Kind, name: str, filters: list[Any]) -> None:
    if not name.strip() or not name.isprintable():
        raise Refusal(Code.BAD_VALUE, "a name is text that prints", field="name")
    if longer(name, MAX_NAME):
        raise Refusal(Code.TOO_LONG, f"`name` is over {MAX_NAME} bytes", field="name")
    if not filters:
        raise Refusal(Code.BAD_QUERY, f"a {kind.noun} needs a filter", field="filters")
    check_saved(kind.noun, filters)


async def _lock(db: AsyncConnection, site_id: int) -> None:
    """One change at a time of one site's."""
    await db.execute(select(func.pg_advisory_xact_lock(_LOCK, site_id)))


_LOCK = 0x5A7ED


def _taken(kind: Kind, name: str) -> Refusal:
    return Refusal(Code.CONFLICT, f"there is a {kind.noun} {name!r} already", field="name")


def _missing(kind: Kind, which: str) -> Refusal:
    return Refusal(Code.NOT_FOUND, f"this site has no {kind.noun} {which}")
