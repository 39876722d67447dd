"""The API in this process on a test's own database, with an owner, and time moved by hand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy.ext.asyncio import AsyncConnection

from api.app import make_app
from api.call import Parts
from api.keys import put_key
from api.owners import put_owner
from api.page import DIST
from api.sites import find_site
from shared.settings import ApiSettings

ORIGIN = "http://dashboard.test"
EMAIL, PASSWORD = "owner@example.com", "a long enough password"
NOW = datetime(2024, 5, 15, 12, 0, tzinfo=UTC)


@dataclass
class ApiService:
    """A client without credentials, and what a test needs to prepare."""

    client: httpx.AsyncClient
    parts: Parts
    time: "HandTime"

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        async with self.parts.pool.begin() as db:
            yield db

    async def key(self, *scopes: str, site: str | None = None) -> dict[str, str]:
        """Headers of a fresh key."""
        async with self.transaction() as db:
            found = await find_site(db, site, self.parts.now()) if site else None
            _, key = await put_key(db, scopes, found.site_id if found else None, "")
        return {"authorization": f"Bearer {key}"}

    async def sign_in(self) -> None:
        """The client carries an owner's cookie, and the dashboard's Origin, from now on."""
        async with self.transaction() as db:
            await put_owner(db, EMAIL, PASSWORD)
        self.client.headers["origin"] = ORIGIN
        answer = await self.client.post("/api/session", json={"email": EMAIL, "password": PASSWORD})
        assert answer.status_code == 200, answer.text


@dataclass
class HandTime:
    """Microseconds since the epoch, moved by the test."""

    now: datetime = NOW

    def __call__(self) -> int:
        return int((self.now - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))


@asynccontextmanager
async def api_service(
    database: str, dist: Path = DIST, **changes: Any
) -> AsyncIterator[ApiService]:
    settings = ApiSettings(
        **{
            "postgres_url": database,
            "api_url": ORIGIN,
            "live_url": "ws://live.test/live",
            "edge_url": "http://edge.test",
            **changes,
        }
    )
    time = HandTime()
    app = make_app(settings, time, dist)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    client = httpx.AsyncClient(transport=transport, base_url=ORIGIN)
    async with app.router.lifespan_context(app), client:
        yield ApiService(client, app.state.parts, time)


def error(answer: httpx.Response) -> tuple[int, str, str | None]:
    """(status, code, field) of a refusal."""
    body = answer.json()["error"]
    return answer.status_code, body["code"], body.get("field")
