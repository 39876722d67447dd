"""The edges: what they last said of themselves, and who belongs to them."""

import msgspec

from api.call import Call
from api.edges import EdgeRow, put_edge, read_edges, retire_edge


class ShownEdges(msgspec.Struct, frozen=True):
    """By name."""

    edges: tuple[EdgeRow, ...]


class NewEdge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``edge``: the name that it carries as MILLRACE_EDGE_NAME."""

    edge: str


async def list_edges(call: Call, _: None) -> ShownEdges:
    """Every registered edge."""
    call.require_every_site()
    async with call.parts.pool.connect() as db:
        return ShownEdges(tuple(await read_edges(db)))


async def add_edge(call: Call, body: NewEdge) -> ShownEdges:
    """Its stream is read from now on; one that was retired comes back. Raises Refusal."""
    call.require_every_site()
    async with call.parts.pool.begin() as db:
        await put_edge(db, body.edge)
        return ShownEdges(tuple(await read_edges(db)))


async def retire(call: Call, _: None) -> ShownEdges:
    """It is waited for no longer. Raises Refusal."""
    call.require_every_site()
    async with call.parts.pool.begin() as db:
        await retire_edge(db, call.request.path_params["edge"])
        return ShownEdges(tuple(await read_edges(db)))
