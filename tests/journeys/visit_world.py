"""The whole product with one site in it, as a visitor, an owner and an operator meet it."""

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import anyio
import httpx
import psycopg
from websockets.asyncio.client import ClientConnection, connect

from api.database import open_transaction
from api.keys import put_key
from api.sites import put_site
from infrastructure.demo.household import SITE
from infrastructure.local.installation import EDGE
from infrastructure.local.product import Product
from infrastructure.local.redis_server import RedisServer
from shared.snapshot import SCOPES

STREAM = f"ingest:{EDGE}"
BROWSER = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/142.0.0.0 Safari/537.36"
)
WITHIN_S = 120.0
_LOOK_EVERY_S = 0.05


async def until(
    condition: Callable[[], Awaitable[bool]], what: str, within_s: float = WITHIN_S
) -> None:
    """Look again and again, and fail with `what` when it has not come true in time."""
    deadline = time.monotonic() + within_s
    while not await condition():
        assert time.monotonic() < deadline, f"not within {within_s:.0f} s: {what}"
        await anyio.sleep(_LOOK_EVERY_S)


@dataclass
class VisitWorld:
    """`key` may query and import; `client` is a browser's connection."""

    product: Product
    site_id: int
    key: str
    client: httpx.AsyncClient

    @staticmethod
    @asynccontextmanager
    async def open(product: Product) -> AsyncIterator["VisitWorld"]:
        async with open_transaction(product.postgres_url) as db:
            site = await put_site(db, SITE, {}, datetime.now(UTC))
            scopes = (SCOPES.QUERY, SCOPES.ADMIN, SCOPES.IMPORT, SCOPES.INGEST)
            _, key = await put_key(db, scopes, None, "journey")
        async with httpx.AsyncClient(timeout=60.0, trust_env=False) as client:
            world = VisitWorld(product, site.site_id, key, client)
            await until(world._is_known_at_edge, "the edge knows the site")
            yield world

    @property
    def primary(self) -> RedisServer:
        assert isinstance(self.product.stack.primary, RedisServer)
        return self.product.stack.primary

    @property
    def spool(self) -> RedisServer:
        assert isinstance(self.product.stack.spool, RedisServer)
        return self.product.stack.spool

    # --- a visitor -------------------------------------------------------------------------

    async def visit(self, path: str = "/", client_id: UUID | None = None) -> UUID:
        """One page view, acknowledged; its receipt."""
        answer = await self.post(
            {"site": SITE, "url": f"https://{SITE}{path}", "id": str(client_id or uuid4())}
        )
        assert answer.status_code == 202, answer.text
        return UUID(answer.json()["receipts"][0])

    async def post(self, event: dict[str, Any], origin: str = f"https://{SITE}") -> httpx.Response:
        """What a browser on a page of the origin would send."""
        return await self.client.post(
            f"{self.product.edge_url}/track",
            content=json.dumps(event),
            headers={
                "content-type": "text/plain",
                "user-agent": BROWSER,
                "origin": origin,
                "x-forwarded-for": "84.128.1.2",
            },
        )

    # --- an owner ----------------------------------------------------------------------------

    async def query(self, metrics: list[str], dimensions: list[str]) -> dict[tuple[str, ...], Any]:
        """Today's answer: values of the metrics by values of the dimensions."""
        answer = await self.client.post(
            f"{self.product.api_url}/api/v2/query",
            json={
                "site_id": SITE,
                "metrics": metrics,
                "dimensions": dimensions,
                "date_range": "all",
                "pagination": {"limit": 10_000},
            },
            headers={"authorization": f"Bearer {self.key}"},
        )
        assert answer.status_code == 200, answer.text
        return {tuple(row["dimensions"]): row["metrics"] for row in answer.json()["results"]}

    @asynccontextmanager
    async def live(self) -> AsyncIterator[ClientConnection]:
        """An open live connection that has had its snapshot."""
        answer = await self.client.post(
            f"{self.product.api_url}/api/live/ticket",
            json={"site": SITE},
            headers={"authorization": f"Bearer {self.key}"},
        )
        assert answer.status_code in (200, 201), answer.text
        ticket = quote(answer.json()["ticket"])
        url = f"{self.product.live_url}?site={SITE}&ticket={ticket}"
        origin: Any = self.product.api_url
        # A gateway that stands still for a moment is waited for.
        async with connect(
            url, origin=origin, proxy=None, open_timeout=WITHIN_S, ping_timeout=WITHIN_S
        ) as socket:
            first = json.loads(await socket.recv())
            assert first["type"] == "snapshot"
            yield socket

    # --- an operator -------------------------------------------------------------------------

    def rows(self) -> list[UUID]:
        """The ids of all visible events."""
        with psycopg.connect(self.product.postgres_url) as db:
            found = db.execute(
                "select event_id from events where site_id = %s and commit_out is null",
                [self.site_id],
            )
            return [row[0] for row in found]

    def _is_rolled_up(self) -> bool:
        with psycopg.connect(self.product.postgres_url) as db:
            found = db.execute(
                "select commit_no >= (select max(commit_no) from commits) from rollup_progress"
            )
            return found.fetchone() == (True,)

    async def until_stored(self, receipts: Iterable[UUID], within_s: float = WITHIN_S) -> None:
        """Until every receipt has its row, nothing is on its way any more, and answers hold it."""
        wanted = set(receipts)

        async def arrived() -> bool:
            is_stored = wanted <= set(self.rows()) and not self.under_way()
            return is_stored and self._is_rolled_up()

        await until(arrived, f"{len(wanted)} events are stored", within_s)

    def under_way(self) -> int:
        """Batches in the spool and in the primary's stream."""
        return _length(self.spool) + _length(self.primary)

    def spooled(self) -> int:
        """Batches in the spool."""
        return _length(self.spool)

    def since(self) -> datetime:
        """A moment before everything that is sent from now on."""
        return datetime.now(UTC) - timedelta(seconds=1)

    async def _is_known_at_edge(self) -> bool:
        # Without a snapshot an edge takes every site, so a stranger shows that there is one; a
        # foreign origin shows that the site is known, and stores nothing.
        return (
            await self._code_of("stranger.example") == "unknown_site"
            and await self._code_of(SITE) == "forbidden_origin"
        )

    async def _code_of(self, site: str) -> str:
        event = {"site": site, "url": f"https://{site}/"}
        answer = await self.post(event, origin="https://elsewhere.example")
        return "" if answer.status_code == 202 else str(answer.json()["error"]["code"])


def _length(server: RedisServer) -> int:
    with server.client() as client:
        return int(client.xlen(STREAM))


async def until_in_feed(socket: ClientConnection, receipts: Iterable[UUID]) -> list[Any]:
    """The deltas up to the one that completes the feed with these receipts."""
    missing, frames = {str(receipt) for receipt in receipts}, []
    with anyio.fail_after(WITHIN_S):
        while missing:
            frame = json.loads(await socket.recv())
            frames.append(frame)
            missing -= {event["id"] for event in frame.get("feed", [])}
    return frames
