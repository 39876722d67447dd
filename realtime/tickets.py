"""Tickets that let a browser open one live connection, within a minute of asking for it."""

from hashlib import sha256
from typing import LiteralString

from realtime.database import Database

# Takes the ticket away whether it is still good or not, and names its site if it is.
_REDEEM: LiteralString = """
WITH taken AS (DELETE FROM live_ticket WHERE digest = %(digest)s RETURNING site_id, expires_at)
SELECT site.site_id, site.key FROM taken JOIN site USING (site_id)
WHERE taken.expires_at > now() AND site.removed_at IS NULL
"""


async def redeem(database: Database, ticket: str, site_key: str) -> int | None:
    """The site that ``ticket`` opens, None if it is not good for ``site_key``. Works once.

    Raises DatabaseDown.
    """
    digest = sha256(ticket.encode(errors="replace")).digest()
    for site_id, key in await database.fetch(_REDEEM, {"digest": digest}):
        if key == site_key:
            return int(site_id)
    return None
