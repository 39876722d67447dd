"""Links that sign their reader in: work once, for some minutes."""

import secrets
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.owners import find_owner, plain_email
from api.sessions import Owner
from shared.errors import Code, Refusal
from writer.tables import owner, sign_in_link


async def put_sign_in_link(db: AsyncConnection, email: str, now: datetime, lasts: timedelta) -> str:
    """The token of a link for that owner: 256 random bits, stored as SHA-256. Sweeps out those
    that were never used. Raises Refusal."""
    found = await find_owner(db, email)
    if found is None:
        raise Refusal(Code.NOT_FOUND, f"there is no owner {plain_email(email)!r}")
    token = secrets.token_urlsafe(32)
    await db.execute(delete(sign_in_link).where(sign_in_link.c.expires_at <= now))
    await db.execute(
        insert(sign_in_link).values(
            digest=_digest(token), owner_id=found[0], expires_at=now + lasts
        )
    )
    return token


async def take_sign_in_link(db: AsyncConnection, token: str, now: datetime) -> Owner | None:
    """Whose link it is, while it lasts; it works no more."""
    gone = (
        delete(sign_in_link)
        .where(sign_in_link.c.digest == _digest(token))
        .returning(sign_in_link.c.owner_id, sign_in_link.c.expires_at)
        .cte()
    )
    # One statement, so that of two who come with it at once only one is let in.
    statement = select(owner.c.owner_id, owner.c.email, gone.c.expires_at).join(
        gone, gone.c.owner_id == owner.c.owner_id
    )
    row = (await db.execute(statement)).one_or_none()
    return Owner(row.owner_id, row.email) if row and row.expires_at > now else None


def sign_in_address(api_url: str, token: str) -> str:
    """What a browser opens. The token stands in the fragment, so that it reaches no log."""
    return f"{api_url.rstrip('/')}/login#token={token}"


def _digest(token: str) -> bytes:
    return sha256(token.encode(errors="replace")).digest()
