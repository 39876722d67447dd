"""The database is restored from a backup while pages listen: its commits are others from then on,
and may have the numbers of those that were shown."""

from contextlib import suppress

import psycopg
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from tests.integration.live_world import (
    Store,
    event,
    read_frame,
    read_news,
    read_resync,
    read_snapshot,
    running_gateway,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def store(database: str) -> Store:
    made = Store(database)
    made.add_site()
    return made


def restore(store: Store, backup: int, *pages: str) -> int:
    """In one moment, as a gateway sees it that could not reach the database meanwhile; ``pages``
    came after. Returns the newest commit."""
    with psycopg.connect(store.url) as connection:
        connection.execute("delete from events where commit_in > %s", [backup])
        connection.execute("delete from commits where commit_no > %s", [backup])
        connection.execute("select setval('commit_no', %s)", [backup])
    return [backup, *(store.put(event(page=page)) for page in pages)][-1]


async def hear_the_end(client: ClientConnection) -> None:
    """Listen until the gateway lets go of the connection."""
    with suppress(ConnectionClosed):
        while True:
            await read_frame(client)


@pytest.mark.parametrize("after", [0, 1, 3, 5])
async def test_who_listens_is_told_of_the_restored_database_and_of_what_comes_then(
    store: Store, primary: str, after: int
) -> None:
    backup = store.put(event(page="/old"))
    async with running_gateway(store, primary) as live:
        async with live.connect() as client:
            await read_snapshot(client)
            for number in range(3):
                shown = store.put(event(page=f"/lost{number}"))
                await read_news(client)
            restore(store, backup, *["/after"] * after)
            await hear_the_end(client)
        async with live.connect(last=shown) as client:
            await read_resync(client)
            pages = (await read_snapshot(client)).view.pages
            assert pages == {"/old": 1} | ({"/after": after} if after else {})
            store.put(event(page="/next"))
            assert [each.page for each in (await read_news(client)).feed] == ["/next"]


async def test_a_line_that_was_cut_after_the_restore_is_resumed_as_ever(
    store: Store, primary: str
) -> None:
    backup = store.put(event(page="/old"))
    async with running_gateway(store, primary) as live:
        async with live.connect() as client:
            await read_snapshot(client)
            shown = store.put(event(page="/lost"))
            await read_news(client)
            newest = restore(store, backup, "/after", "/beyond")
            await hear_the_end(client)
        assert newest > shown
        async with live.connect() as client:
            await read_snapshot(client)
            last = store.put(event(page="/seen"))
            await read_news(client)
        store.put(event(page="/missed"))
        async with live.connect(last=last) as client:
            missed = await read_news(client)
            while not any(each.page == "/missed" for each in missed.feed):
                missed = await read_news(client)
