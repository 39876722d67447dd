"""What an endpoint is given: the parts of the service, and one request's caller."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from starlette.requests import Request

from api.attempts import Attempts
from api.keys import FoundKey
from api.owners import Checker
from api.query.archive import Archive
from api.sessions import Owner
from api.sites import Site, find_site
from api.turns import Turns
from shared.clock import Clock
from shared.errors import Code, Refusal
from shared.settings import ApiSettings
from shared.snapshot import SCOPES

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Caller = Owner | FoundKey | None
"""Somebody signed in, somebody with a key, or anyone."""


class Throttles(NamedTuple):
    """Failed sign-ins are counted by address with e-mail, by e-mail, and by address."""

    both: Attempts
    email: Attempts
    address: Attempts


@dataclass(frozen=True)
class Parts:
    """What one process is made of."""

    settings: ApiSettings
    pool: AsyncEngine
    clock: Clock
    passwords: Checker
    throttles: Throttles
    turns: Turns
    archive: Archive

    def now(self) -> datetime:
        """The time in UTC."""
        return _EPOCH + timedelta(microseconds=self.clock())


@dataclass(frozen=True)
class Call:
    """One request."""

    request: Request
    parts: Parts
    caller: Caller
    now: datetime

    async def site_to_query(self, key: str) -> Site:
        """The site, if the caller may ask about it. Raises Refusal."""
        async with self.parts.pool.connect() as db:
            found = await find_site(db, key, self.now)
        bound = self.bound_site_id()
        if bound is not None and (found is None or found.site_id != bound):
            raise Refusal(Code.FORBIDDEN, "this key is bound to another site")
        if found is None:
            raise Refusal(Code.UNKNOWN_SITE, f"there is no site {key!r}", field="site_id")
        return found

    @asynccontextmanager
    async def connect_to_query(self) -> AsyncIterator[AsyncConnection]:
        """A connection for what may take long, once it is the caller's turn. Raises Refusal."""
        timeout_s = self.parts.settings.api_query_timeout_s
        async with self.parts.turns.take(self._who(), timeout_s), self.parts.pool.connect() as db:
            yield db

    def _who(self) -> tuple[str, int]:
        """Whose turns are counted together."""
        if isinstance(self.caller, FoundKey):
            return ("key", self.caller.key_id)
        return ("owner", self.caller.owner_id if self.caller else 0)

    def bound_site_id(self) -> int | None:
        """The one site that the caller may see; None: every site."""
        return self.caller.site_id if isinstance(self.caller, FoundKey) else None

    def require_every_site(self) -> None:
        """Raises Refusal for a key that is bound to one site."""
        if self.bound_site_id() is not None:
            raise Refusal(Code.FORBIDDEN, "this key is bound to one site")


def may(caller: Caller, scope: str) -> bool:
    """Owners may do everything, keys what they were made for."""
    if isinstance(caller, FoundKey):
        return caller.has(scope) or (scope == SCOPES.QUERY and caller.has(SCOPES.ADMIN))
    return caller is not None
