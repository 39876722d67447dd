"""What arrives for a site."""

from api.arrivals import Arrivals, read_arrivals
from api.call import Call


async def show_arrivals(call: Call, _: None) -> Arrivals:
    """Raises Refusal."""
    found = await call.site_to_query(call.request.path_params["key"])
    async with call.parts.pool.connect() as db:
        return await read_arrivals(db, found, call.now)
