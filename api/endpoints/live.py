"""The way to the live gateway: a ticket in place of the cookie, which another port never sees."""

from urllib.parse import urlencode

import msgspec

from api.call import Call
from api.tickets import put_ticket


class TicketFor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The key of the site to look at."""

    site: str


class Ticket(msgspec.Struct, frozen=True):
    """``ticket`` works once, within 60 s; ``url`` holds it already."""

    ticket: str
    url: str


async def make_ticket(call: Call, body: TicketFor) -> Ticket:
    """Raises Refusal."""
    found = await call.site_to_query(body.site)
    async with call.parts.pool.begin() as db:
        ticket = await put_ticket(db, found.site_id, call.now)
    question = urlencode({"site": found.key, "ticket": ticket})
    return Ticket(ticket, f"{call.parts.settings.live_url}?{question}")
