"""A gateway in this process, and rows written as the writer writes them."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import msgspec
import psycopg
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin

from infrastructure.local.ports import free_ports
from realtime.commits import Commits
from realtime.database import Database
from realtime.feed import Feed
from realtime.frames import Delta, Frame, Resync, Snapshot
from realtime.gateway import Gateway, send_to_all
from realtime.hints import listen
from shared.clock import system_clock
from shared.settings import RealtimeSettings

ORIGIN = "http://dashboard.test:4003"
SITE = "example.com"

_INSERT = """
INSERT INTO events (site_id, ts, event_id, commit_in, day, hour, received_at, visitor, name,
                    interactive, bot, hostname, page, source, country, browser, os, device)
VALUES (%(site_id)s, %(ts)s, %(event_id)s, %(commit)s, %(ts)s::date, 0, %(ts)s, %(visitor)s,
        %(name)s, true, %(bot)s, 'example.com', %(page)s, %(source)s, %(country)s,
        'Firefox', 'Linux', 'desktop')
"""
_CLOSE = """
UPDATE commits SET events = %(n)s, first_ts = %(first)s, last_ts = %(last)s
WHERE commit_no = %(commit)s
"""


def event(ago_s: float = 0, **fields: object) -> dict[str, Any]:
    """An event of visitor 1 on page `/`, so many seconds ago."""
    return {
        "site_id": 1,
        "ts": datetime.now(UTC) - timedelta(seconds=ago_s),
        "event_id": uuid4(),
        "visitor": 1,
        "name": "pageview",
        "bot": None,
        "page": "/",
        "source": "",
        "country": "",
        **fields,
    }


class Store:
    """Writes commits into the database of a test."""

    def __init__(self, url: str) -> None:
        self.url = url

    def add_site(self, key: str = SITE) -> None:
        """The first site of a fresh database gets number 1."""
        with psycopg.connect(self.url) as connection:
            connection.execute("INSERT INTO site (key) VALUES (%s)", [key])

    def add_edge(self, name: str, heard_ago_s: float, spooled: int = 0) -> None:
        with psycopg.connect(self.url) as connection:
            connection.execute(
                "INSERT INTO edge (edge, last_heard, spooled_batches)"
                " VALUES (%s, now() - make_interval(secs => %s), %s)",
                [name, heard_ago_s, spooled],
            )

    def put(self, *events: dict[str, Any]) -> int:
        """One commit; returns its number."""
        with psycopg.connect(self.url) as connection:
            return put_within(connection, events)

    def supersede(self, gone: UUID, by: dict[str, Any]) -> int:
        """`by` takes the place of the row `gone`, in one commit."""
        with psycopg.connect(self.url) as connection:
            commit = put_within(connection, [by])
            connection.execute(
                "UPDATE events SET commit_out = %s WHERE event_id = %s", [commit, gone]
            )
            return commit

    def make_ticket(self, site_id: int = 1, lasts_s: int = 60) -> str:
        ticket = secrets.token_urlsafe(32)
        with psycopg.connect(self.url) as connection:
            connection.execute(
                "INSERT INTO live_ticket VALUES (%s, %s, now() + make_interval(secs => %s))",
                [sha256(ticket.encode()).digest(), site_id, lasts_s],
            )
        return ticket


def put_within(connection: psycopg.Connection[Any], events: Iterable[dict[str, Any]]) -> int:
    """Open a commit and insert its rows, in a transaction that the caller ends."""
    rows = list(events)
    record = connection.execute("SELECT open_commit()").fetchone()
    assert record is not None
    commit = int(record[0])
    for row in rows:
        connection.execute(_INSERT, {**row, "commit": commit})
    times = sorted(row["ts"] for row in rows)
    connection.execute(
        _CLOSE, {"n": len(rows), "first": times[0], "last": times[-1], "commit": commit}
    )
    return commit


class Live:
    """A running gateway as its clients see it."""

    def __init__(self, port: int, store: Store) -> None:
        self.url = f"ws://127.0.0.1:{port}/live"
        self.store = store

    def connect(
        self,
        ticket: str | None = None,
        *,
        last: int | None = None,
        origin: str | None = ORIGIN,
        site: str = SITE,
    ) -> connect:
        """A client; without `ticket` it gets a good one."""
        ticket = self.store.make_ticket() if ticket is None else ticket
        resume = "" if last is None else f"&last={last}"
        return connect(
            f"{self.url}?site={site}&ticket={ticket}{resume}",
            origin=None if origin is None else Origin(origin),
            compression=None,
        )


@asynccontextmanager
async def running_gateway(
    store: Store, primary_url: str, counts: type[Commits] = Commits, **settings: Any
) -> AsyncIterator[Live]:
    """Feed, hints and gateway, wired as `realtime.app` does; `counts` is who counts sites."""
    port = free_ports(1)[0]
    chosen = RealtimeSettings(
        primary_url=primary_url,
        postgres_url=store.url,
        realtime_port=port,
        api_url=f"{ORIGIN}/",
        **settings,
    )
    databases = following, redeeming, *counting = [Database(store.url) for _ in range(4)]
    feed = Feed(
        Commits(following), [counts(each) for each in counting], chosen, send_to_all, system_clock
    )
    async with Gateway(feed, redeeming, chosen, system_clock).serving():
        tasks = [asyncio.create_task(feed.run())]
        tasks.append(asyncio.create_task(listen(primary_url, feed.wake)))
        yield Live(port, store)
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    for database in databases:
        await database.close()


async def read_frame(client: ClientConnection, within_s: float = 60) -> Frame:
    async with asyncio.timeout(within_s):
        frame: Frame = msgspec.json.decode(await client.recv(), type=Frame)
        return frame


async def read_snapshot(client: ClientConnection) -> Snapshot:
    frame = await read_frame(client)
    assert isinstance(frame, Snapshot)
    return frame


async def read_resync(client: ClientConnection) -> Resync:
    frame = await read_frame(client)
    assert isinstance(frame, Resync)
    return frame


async def read_news(client: ClientConnection) -> Delta:
    """The next delta with something for the feed; ticks between are passed over."""
    while True:
        frame = await read_frame(client)
        assert isinstance(frame, Delta)
        if frame.feed:
            return frame


async def wait_until(is_so: Callable[[], bool]) -> None:
    """For what another process does without telling."""
    async with asyncio.timeout(60):
        while not is_so():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
