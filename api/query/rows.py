"""Sums counted from rows in TimescaleDB: one statement, integers out."""

from sqlalchemy.ext.asyncio import AsyncConnection

from api.query.plan import Needs, needs
from api.query.scope import Scope
from api.query.statements import Relations, select_groups, select_total
from api.query.sums import Counted, Cut, Tally
from api.query.visits import select_counted, select_numbered, select_visits


async def count_rows(db: AsyncConnection, scope: Scope, tally: Tally, cut: Cut | None) -> Counted:
    """The tally's groups over the scope's days."""
    needed = needs(tally)
    relations = _relations(scope, needed)
    rows = list(await db.execute(select_groups(relations, scope.range, tally, needed, cut)))
    keys = len(tally.dimensions)
    groups = {tuple(row[:keys]): tuple(row[keys : keys + len(tally.sums)]) for row in rows}
    if cut is None:
        return Counted(groups)
    if rows or not cut.offset:
        return Counted(groups, rows[0][-1] if rows else 0)
    beyond = select_total(relations, scope.range, tally, needed)
    return Counted(groups, int(await db.scalar(beyond) or 0))


def _relations(scope: Scope, needed: Needs) -> Relations:
    counted = select_counted(scope, needed)
    if not needed.numbered:
        return Relations(counted, None)
    numbered = select_numbered(counted, needed)
    return Relations(numbered, select_visits(numbered, needed))
