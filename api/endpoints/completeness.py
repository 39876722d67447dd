"""Completeness: whether a range of time can still change."""

from datetime import date, datetime

import msgspec

from api.call import Call
from api.completeness import (
    AcceptedLoss,
    closed_through,
    read_accepted_losses,
    read_completeness,
)
from shared.completeness import EdgeCompleteness, final_until


class ShownCompleteness(msgspec.Struct, frozen=True):
    """``final_until``: nothing received before it is still to come, but from the edges named in
    ``passed``. ``closed_through``: the last day of the site asked for that cannot change.
    ``accepted_losses``: what lacks for ever, though it counts as final."""

    final_until: datetime
    closed_through: date | None
    passed: tuple[str, ...]
    edges: tuple[EdgeCompleteness, ...]
    accepted_losses: tuple[AcceptedLoss, ...]


async def show_completeness(call: Call, _: None) -> ShownCompleteness:
    """Raises Refusal."""
    key = call.request.query_params.get("site_id")
    if key is None:
        call.require_every_site()
    site = None if key is None else await call.site_to_query(key)
    async with call.parts.pool.connect() as db:
        edges = await read_completeness(db, call.now)
        losses = await read_accepted_losses(db, site)
    final = final_until(edges) or call.now
    return ShownCompleteness(
        final_until=final,
        closed_through=None if site is None else closed_through(site, final),
        passed=tuple(edge.edge for edge in edges if edge.is_passed),
        edges=tuple(edges),
        accepted_losses=tuple(losses),
    )
