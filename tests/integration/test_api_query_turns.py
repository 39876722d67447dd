"""Long queries leave the others their share, and end when nobody waits for them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx
import psycopg
import pytest

from api.sites import put_site
from tests.integration.api_service import ApiService, api_service

pytestmark = pytest.mark.anyio

QUESTION = {"site_id": "example.com", "metrics": ["visitors"], "date_range": ["2024-05-14"] * 2}
RUNNING = (
    "select count(*) from pg_stat_activity where datname = current_database()"
    " and pid <> pg_backend_pid() and wait_event_type = 'Lock' and state = 'active'"
)


@asynccontextmanager
async def service(database: str, **changes: Any) -> AsyncIterator[ApiService]:
    async with api_service(database, **changes) as api:
        async with api.transaction() as db:
            await put_site(db, "example.com", {}, api.parts.now())
        yield api


@contextmanager
def slow(database: str) -> Iterator[psycopg.Connection[tuple[int]]]:
    """While it is open, every query waits in the database. Gives a connection beside it."""
    with psycopg.connect(database) as holder, psycopg.connect(database, autocommit=True) as watch:
        holder.execute("lock table salt in access exclusive mode")
        yield watch


async def until_running(watch: psycopg.Connection[tuple[int]], wanted: int) -> None:
    async with asyncio.timeout(60):
        while watch.execute(RUNNING).fetchone() != (wanted,):  # noqa: ASYNC110 (not of this loop)
            await asyncio.sleep(0.01)


async def ask(api: ApiService, headers: dict[str, str]) -> httpx.Response:
    return await api.client.post("/api/v2/query", json=QUESTION, headers=headers)


async def test_long_queries_of_one_caller_take_half_of_the_connections(database: str) -> None:
    async with service(database, api_connections=6) as api:
        greedy, other = await api.key("query"), await api.key("query")
        with slow(database) as watch:
            asked = [asyncio.create_task(ask(api, greedy)) for _ in range(20)]
            await until_running(watch, 2)
            # Another's reaches the database at once, and what is no query is answered.
            asked.append(asyncio.create_task(ask(api, other)))
            await until_running(watch, 3)
            sites = await asyncio.wait_for(api.client.get("/api/sites", headers=other), 60)
            assert sites.status_code == 200
        answers = await asyncio.gather(*asked)
        assert {answer.status_code for answer in answers} == {200}


async def test_a_client_that_goes_away_has_its_query_cancelled_in_the_database(
    database: str,
) -> None:
    async with service(database) as api:
        headers = await api.key("query")
        with slow(database) as watch:
            gone = asyncio.Event()
            asked = asyncio.create_task(_ask_and_leave(api, headers, gone))
            await until_running(watch, 1)
            gone.set()
            await asyncio.wait_for(asked, 60)
            await until_running(watch, 0)
        assert (await ask(api, headers)).status_code == 200


async def _ask_and_leave(api: ApiService, headers: dict[str, str], gone: asyncio.Event) -> None:
    """As a server tells the application that the connection was closed."""
    request = api.client.build_request("POST", "/api/v2/query", json=QUESTION, headers=headers)
    received = iter([{"type": "http.request", "body": request.content, "more_body": False}])

    async def receive() -> dict[str, object]:
        if (message := next(received, None)) is not None:
            return message
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(_: object) -> None:
        """Nobody is there."""

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/v2/query",
        "query_string": b"",
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "client": ("127.0.0.1", 1),
    }
    await api.client._transport.app(scope, receive, send)  # type: ignore[attr-defined]
