"""Sign-ins: a random cookie, of which only the SHA-256 is stored."""

import secrets
from datetime import datetime, timedelta
from hashlib import sha256

import msgspec
from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from writer.tables import owner, session


class Owner(msgspec.Struct, frozen=True):
    """Who signed in."""

    owner_id: int
    email: str


async def open_session(db: AsyncConnection, owner_id: int, now: datetime, lasts: timedelta) -> str:
    """The cookie's value. Sweeps out sessions that have ended."""
    token = secrets.token_urlsafe(32)
    await db.execute(delete(session).where(session.c.expires_at <= now))
    await db.execute(
        insert(session).values(digest=_digest(token), owner_id=owner_id, expires_at=now + lasts)
    )
    return token


async def find_session(db: AsyncConnection, token: str, now: datetime) -> Owner | None:
    """Whose sign-in it is, while it lasts."""
    statement = (
        select(owner.c.owner_id, owner.c.email)
        .join(session, session.c.owner_id == owner.c.owner_id)
        .where(session.c.digest == _digest(token), session.c.expires_at > now)
    )
    row = (await db.execute(statement)).one_or_none()
    return Owner(row.owner_id, row.email) if row else None


async def close_session(db: AsyncConnection, token: str) -> None:
    """It works no more."""
    await db.execute(delete(session).where(session.c.digest == _digest(token)))


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()
