"""API keys: shown once, stored as SHA-256."""

from datetime import datetime

import msgspec
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.errors import Code, Refusal
from shared.keys import api_key_digest, new_api_key
from shared.snapshot import SCOPES
from writer.tables import api_key, site

MAX_LABEL = 200
MAX_KEY_ID = 2**31 - 1


class KeyRow(msgspec.Struct, frozen=True):
    """What can be shown of a key. ``site``: None is every site."""

    key_id: int
    site: str | None
    scopes: tuple[str, ...]
    label: str
    created_at: datetime
    revoked_at: datetime | None


class FoundKey(msgspec.Struct, frozen=True):
    """A live key that somebody came with."""

    key_id: int
    site_id: int | None
    scopes: frozenset[str]

    def has(self, scope: str) -> bool:
        """Whether it was made for that."""
        return scope in self.scopes


async def put_key(
    db: AsyncConnection, scopes: tuple[str, ...], site_id: int | None, label: str
) -> tuple[int, str]:
    """(id, the key in clear): the only time that it is seen. Raises Refusal."""
    if not scopes:
        raise Refusal(Code.BAD_VALUE, f"name a scope: {', '.join(SCOPES)}", field="scopes")
    for scope in scopes:
        if scope not in SCOPES:
            raise Refusal(
                Code.BAD_VALUE, f"{scope!r} is none of {', '.join(SCOPES)}", field="scopes"
            )
    if len(label) > MAX_LABEL or "\0" in label:
        raise Refusal(
            Code.TOO_LONG, f"`label` is over {MAX_LABEL} characters or holds NUL", field="label"
        )
    key = new_api_key()
    statement = insert(api_key).values(
        digest=api_key_digest(key), site_id=site_id, scopes=sorted(set(scopes)), label=label
    )
    key_id = (await db.execute(statement.returning(api_key.c.key_id))).scalar_one()
    return key_id, key


async def read_keys(db: AsyncConnection) -> list[KeyRow]:
    """Every key ever made, oldest first."""
    statement = (
        select(api_key, site.c.key.label("site"))
        .select_from(api_key.outerjoin(site, site.c.site_id == api_key.c.site_id))
        .order_by(api_key.c.key_id)
    )
    return [
        KeyRow(row.key_id, row.site, tuple(row.scopes), row.label, row.created_at, row.revoked_at)
        for row in await db.execute(statement)
    ]


async def revoke_key(db: AsyncConnection, key_id: int, now: datetime) -> None:
    """It works no more. Raises Refusal where no such key lives."""
    if key_id > MAX_KEY_ID:
        raise Refusal(Code.NOT_FOUND, f"there is no key {key_id}")
    statement = (
        update(api_key)
        .where(api_key.c.key_id == key_id, api_key.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    if (await db.execute(statement)).rowcount == 0:
        raise Refusal(Code.NOT_FOUND, f"there is no live key {key_id}")


async def find_key(db: AsyncConnection, key: str) -> FoundKey | None:
    """The live key of that text."""
    statement = select(api_key).where(
        api_key.c.digest == api_key_digest(key), api_key.c.revoked_at.is_(None)
    )
    row = (await db.execute(statement)).one_or_none()
    return FoundKey(row.key_id, row.site_id, frozenset(row.scopes)) if row else None
