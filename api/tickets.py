"""Tickets for the live gateway: work once, within a minute."""

import secrets
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import delete, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from writer.tables import live_ticket

LASTS = timedelta(seconds=60)


async def put_ticket(db: AsyncConnection, site_id: int, now: datetime) -> str:
    """256 random bits, stored as SHA-256. Sweeps out those that were never used."""
    ticket = secrets.token_urlsafe(32)
    digest = sha256(ticket.encode()).digest()
    await db.execute(delete(live_ticket).where(live_ticket.c.expires_at <= now))
    await db.execute(
        insert(live_ticket).values(digest=digest, site_id=site_id, expires_at=now + LASTS)
    )
    return ticket
