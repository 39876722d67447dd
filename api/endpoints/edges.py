"""The edges, as of their last heartbeats."""

import msgspec

from api.call import Call
from api.edges import EdgeRow, read_edges


class ShownEdges(msgspec.Struct, frozen=True):
    """By name."""

    edges: tuple[EdgeRow, ...]


async def list_edges(call: Call, _: None) -> ShownEdges:
    """Every registered edge."""
    call.require_every_site()
    async with call.parts.pool.connect() as db:
        return ShownEdges(tuple(await read_edges(db)))
