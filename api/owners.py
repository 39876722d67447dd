"""Owners: people who sign in with e-mail address and password."""

import re
import secrets
from datetime import datetime

import anyio
import msgspec
from anyio.to_thread import run_sync
from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from sqlalchemy import delete, exists, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.errors import Code, Refusal
from writer.tables import owner, session, sign_in_link

MIN_PASSWORD = 10
MAX_PASSWORD = 1_024
MAX_EMAIL = 254

_EMAIL = re.compile(r"[^@\s\x00]+@[^@\s\x00]+")
_HASHER = PasswordHasher()
_NOBODY = _HASHER.hash(secrets.token_hex(16))
"""Compared with where there is no such owner, so that the answer takes as long."""


class Checker:
    """Compares passwords in threads, two at a time: each takes 64 MiB."""

    def __init__(self) -> None:
        self._limiter = anyio.CapacityLimiter(2)

    async def matches(self, stored: str | None, password: str) -> bool:
        """Whether the password is the stored one; None is nobody's."""
        matched = await run_sync(_matches, stored or _NOBODY, password, limiter=self._limiter)
        return matched and stored is not None


async def put_owner(db: AsyncConnection, email: str, password: str) -> int:
    """Add an owner. Raises Refusal."""
    email = check_email(email)
    statement = insert(owner).values(email=email, password=_hashed(password))
    added = statement.on_conflict_do_nothing().returning(owner.c.owner_id)
    owner_id = (await db.execute(added)).scalar_one_or_none()
    if owner_id is None:
        raise Refusal(Code.CONFLICT, f"there is an owner {email} already", field="email")
    return int(owner_id)


async def reset_password(db: AsyncConnection, email: str, password: str) -> None:
    """A new password; every sign-in of this owner ends, and no link works. Raises Refusal."""
    statement = (
        update(owner)
        .where(owner.c.email == plain_email(email))
        .values(password=_hashed(password))
        .returning(owner.c.owner_id)
    )
    owner_id = (await db.execute(statement)).scalar_one_or_none()
    if owner_id is None:
        raise Refusal(Code.NOT_FOUND, f"there is no owner {plain_email(email)!r}")
    await db.execute(delete(session).where(session.c.owner_id == owner_id))
    await db.execute(delete(sign_in_link).where(sign_in_link.c.owner_id == owner_id))


class OwnerRow(msgspec.Struct, frozen=True):
    """What can be shown of an owner."""

    email: str
    created_at: datetime


async def read_owners(db: AsyncConnection) -> list[OwnerRow]:
    """Every owner, by address."""
    rows = await db.execute(select(owner.c.email, owner.c.created_at).order_by(owner.c.email))
    return [OwnerRow(*row) for row in rows]


async def has_owner(db: AsyncConnection) -> bool:
    """Whether there is anybody who could sign in."""
    return bool(await db.scalar(select(exists().select_from(owner))))


async def find_owner(db: AsyncConnection, email: str) -> tuple[int, str] | None:
    """(owner_id, stored password) of an address."""
    if "\0" in email:
        return None
    statement = select(owner).where(owner.c.email == plain_email(email))
    row = (await db.execute(statement)).one_or_none()
    return (row.owner_id, row.password) if row else None


def check_email(email: str) -> str:
    """Its plain form. Raises Refusal for what is no address, or would drive a terminal."""
    email = plain_email(email)
    if not _EMAIL.fullmatch(email) or len(email) > MAX_EMAIL or not email.isprintable():
        raise Refusal(Code.BAD_VALUE, f"{email[:80]!r} is not an e-mail address", field="email")
    return email


def check_password(password: str) -> None:
    """Raises Refusal for one that is too short, or too long."""
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise Refusal(
            Code.BAD_VALUE,
            f"a password has {MIN_PASSWORD} to {MAX_PASSWORD} characters",
            field="password",
        )


def plain_email(email: str) -> str:
    """The form in which addresses are stored and compared."""
    return email.strip().lower()


def _hashed(password: str) -> str:
    check_password(password)
    return _HASHER.hash(password)


def _matches(stored: str, password: str) -> bool:
    try:
        return _HASHER.verify(stored, password)
    except (Argon2Error, InvalidHashError):
        return False
