import asyncio
import json
import socket
from datetime import UTC, datetime

import psycopg
import pytest
from prometheus_client import REGISTRY
from redis import Redis
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidStatus

from api.completeness import read_completeness
from api.database import open_transaction
from infrastructure.local.postgres_server import PostgresServer
from realtime.commits import Commits
from realtime.frames import Delta, Snapshot, View
from realtime.hub import Hub
from shared.completeness import final_until
from tests.integration.live_world import (
    SITE,
    Live,
    Store,
    event,
    put_within,
    read_frame,
    read_news,
    read_resync,
    read_snapshot,
    running_gateway,
    wait_until,
)
from writer.migrate import upgrade

pytestmark = pytest.mark.anyio

NEVER_S = 600.0


@pytest.fixture
def store(database: str) -> Store:
    made = Store(database)
    made.add_site()
    return made


async def test_a_client_gets_a_snapshot_and_then_a_delta_for_a_commit(
    store: Store, primary: str
) -> None:
    store.put(event(10, page="/old", source="Google", country="CH"))
    async with running_gateway(store, primary) as live, live.connect() as client:
        snapshot = await read_snapshot(client)
        assert snapshot.view.here == 1
        assert snapshot.view.pages == {"/old": 1}
        assert snapshot.view.sources == {"Google": 1}
        assert [each.page for each in snapshot.feed] == ["/old"]
        commit = store.put(event(visitor=2, page="/new"))
        delta = await read_news(client)
        assert delta.id == commit
        assert delta.view.here == 2
        assert delta.view.pages == {"/new": 1}


async def test_a_quiet_line_says_every_few_seconds_that_it_lives(
    store: Store, primary: str
) -> None:
    async with running_gateway(store, primary) as live, live.connect() as client:
        snapshot = await read_snapshot(client)
        beat = await read_frame(client)
        assert isinstance(beat, Delta)
        assert beat == Delta(snapshot.id, beat.at, View())
        assert 5_000 <= beat.at - snapshot.at < 30_000


async def test_a_hint_brings_a_frame_long_before_the_poll(store: Store, primary: str) -> None:
    gateway = running_gateway(store, primary, realtime_poll_s=NEVER_S)
    with Redis.from_url(primary) as redis:
        # The gateway of the test before may still be leaving.
        await wait_until(lambda: redis.pubsub_numsub("commits")[0][1] == 0)
        async with gateway as live, live.connect() as client:
            await read_snapshot(client)
            await wait_until(lambda: redis.pubsub_numsub("commits")[0][1] == 1)
            redis.publish("commits", store.put(event()))
            assert len((await read_news(client)).feed) == 1


async def test_it_stays_live_by_polling_while_the_primary_is_down(store: Store) -> None:
    nowhere = "redis://127.0.0.1:1/0"
    async with running_gateway(store, nowhere) as live, live.connect() as client:
        await read_snapshot(client)
        store.put(event())
        assert len((await read_news(client)).feed) == 1


async def test_a_lower_commit_that_ends_later_is_not_skipped(store: Store, primary: str) -> None:
    store.put(event(page="/makes-the-chunk"))
    async with running_gateway(store, primary) as live, live.connect() as client:
        await read_snapshot(client)
        with psycopg.connect(store.url) as slow:
            lower = put_within(slow, [event(page="/slow")])
            higher = store.put(event(page="/quick"))
            assert higher > lower
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.8):
                    await read_news(client)
            slow.commit()
        delta = await read_news(client)
        assert delta.id == higher
        assert [each.page for each in delta.feed] == ["/quick", "/slow"]


async def test_a_late_event_fills_its_minute_and_makes_nobody_be_here(
    store: Store, primary: str
) -> None:
    async with running_gateway(store, primary) as live, live.connect() as client:
        await read_snapshot(client)
        late = event(20 * 60, visitor=7)
        store.put(late)
        delta = await read_news(client)
        assert delta.view.here is None
        assert delta.view.minutes == {str(int(late["ts"].timestamp()) // 60): 1}
        assert delta.feed[0].late


async def test_bots_are_in_the_feed_with_their_rule_and_in_no_number(
    store: Store, primary: str
) -> None:
    async with running_gateway(store, primary) as live, live.connect() as client:
        await read_snapshot(client)
        store.put(event(bot="curl"), event(name="engagement"))
        delta = await read_news(client)
        assert [each.bot for each in delta.feed] == ["curl"]
        assert (delta.view.here, delta.view.minutes) == (None, {})


async def test_a_row_whose_place_another_took_vanishes(store: Store, primary: str) -> None:
    first = event(2, page="/later", visitor=1)
    store.put(first)
    async with running_gateway(store, primary) as live, live.connect() as client:
        await read_snapshot(client)
        store.supersede(first["event_id"], by=event(3, page="/earlier", visitor=2))
        delta = await read_news(client)
        assert delta.gone == [str(first["event_id"])]
        assert delta.view.pages == {"/later": None, "/earlier": 1}
        assert delta.view.here is None


async def test_a_visitor_whose_last_event_went_is_here_by_the_one_before(
    store: Store, primary: str
) -> None:
    last = event(2, page="/last", visitor=1)
    store.put(event(100, page="/before", visitor=1), last)
    only = event(2, page="/only", visitor=2)
    store.put(only)
    async with running_gateway(store, primary) as live, live.connect() as client:
        assert (await read_snapshot(client)).view.here == 2
        store.supersede(last["event_id"], by=event(3, page="/bot", bot="curl"))
        assert (await read_news(client)).view.here is None
        store.supersede(only["event_id"], by=event(3, page="/bot", bot="curl"))
        delta = await read_news(client)
        assert delta.view.here == 1
        assert delta.view.pages == {"/only": None}


class HeldCount(Commits):
    """Counts the second site only when it is let go."""

    begun = asyncio.Event()
    go_on = asyncio.Event()

    async def count(self, site: int, last: int, settled: int, now_ms: int) -> Hub:
        hub = await super().count(site, last, settled, now_ms)
        if site == 2:
            self.begun.set()
            await self.go_on.wait()
        return hub


async def test_a_site_that_takes_long_to_count_holds_nobody_up_and_misses_nothing(
    store: Store, primary: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HeldCount, "begun", asyncio.Event())
    monkeypatch.setattr(HeldCount, "go_on", asyncio.Event())
    store.add_site("busy.com")
    store.add_site("third.com")
    old = event(20, site_id=2, page="/old", visitor=1)
    store.put(old, event(20, site_id=2, page="/stays", visitor=2))
    gateway = running_gateway(store, primary, HeldCount)
    async with gateway as live, live.connect() as client:
        await read_snapshot(client)
        busy = [asyncio.create_task(open_and_read(live, 2, "busy.com")) for _ in range(2)]
        await HeldCount.begun.wait()
        store.put(event(page="/meanwhile"), event(site_id=2, page="/new", visitor=3))
        store.supersede(old["event_id"], by=event(21, site_id=2, page="/older", visitor=1))
        assert [each.page for each in (await read_news(client)).feed] == ["/meanwhile"]
        assert (await open_and_read(live, 3, "third.com")).view.here == 0
        HeldCount.go_on.set()
        for snapshot in await asyncio.gather(*busy):
            assert snapshot.view.pages == {"/stays": 1, "/new": 1, "/older": 1}
            assert snapshot.view.here == 3
            assert [each.page for each in snapshot.feed][:2] == ["/older", "/new"]
            assert "/old" not in [each.page for each in snapshot.feed]


async def open_and_read(live: Live, site_id: int, site: str) -> Snapshot:
    async with live.connect(live.store.make_ticket(site_id), site=site) as client:
        return await read_snapshot(client)


async def test_a_site_sees_nothing_of_another(store: Store, primary: str) -> None:
    store.add_site("other.com")
    async with running_gateway(store, primary) as live, live.connect() as client:
        await read_snapshot(client)
        store.put(event(site_id=2, page="/secret"))
        store.put(event(page="/own"))
        delta = await read_news(client)
        assert [each.page for each in delta.feed] == ["/own"]


async def test_a_client_that_resumes_gets_what_it_missed(store: Store, primary: str) -> None:
    async with running_gateway(store, primary) as live:
        async with live.connect() as client:
            last = (await read_snapshot(client)).id
        store.put(event(page="/missed"))
        async with live.connect(last=last) as client:
            assert [each.page for each in (await read_news(client)).feed] == ["/missed"]


async def test_a_client_that_was_away_too_long_gets_a_resync_and_a_snapshot(
    store: Store, primary: str
) -> None:
    commit = store.put(event(page="/here"))
    async with running_gateway(store, primary) as live, live.connect(last=commit - 1) as client:
        assert (await read_resync(client)).id == commit
        assert (await read_snapshot(client)).view.pages == {"/here": 1}


async def test_an_absence_of_many_events_is_counted_from_rows(
    store: Store, primary: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime.feed.MOST_EVENTS", 50)
    async with running_gateway(store, primary) as live, live.connect() as client:
        await read_snapshot(client)
        store.put(*[event(number / 1_000, page=f"/{number}") for number in range(300)])
        delta = await read_news(client)
        assert sum(filter(None, delta.view.minutes.values())) == 300
        assert len(delta.feed) == 100
        assert delta.feed[0].page == "/0"


async def test_a_silent_edge_is_named_with_since_when(store: Store, primary: str) -> None:
    store.add_edge("fra", heard_ago_s=60, spooled=7)
    store.add_edge("zrh", heard_ago_s=0)
    gateway = running_gateway(store, primary, silent_after_s=30)
    async with gateway as live, live.connect() as client:
        edges = (await read_snapshot(client)).view.edges
        fra, zrh = edges["fra"], edges["zrh"]
        assert fra is not None
        assert zrh is not None
        assert fra.silent_since is not None
        assert fra.spooled_batches == 7
        assert zrh.silent_since is None
        with psycopg.connect(store.url) as connection:
            connection.execute("UPDATE edge SET last_heard = now()")
        while not (told := await read_frame(client)).view.edges:  # type: ignore[union-attr]
            assert isinstance(told, Delta)
        assert isinstance(told, Delta)
        back = told.view.edges["fra"]
        assert back is not None
        assert back.silent_since is None


async def test_the_horizon_waits_for_a_commit_that_is_not_yet_shown(
    store: Store, primary: str
) -> None:
    store.put(event(page="/makes-the-chunk"))
    store.add_edge("fra", heard_ago_s=60)
    async with running_gateway(store, primary) as live, live.connect() as client:
        before = (await read_snapshot(client)).final_until
        assert before is not None
        with psycopg.connect(store.url) as slow:
            put_within(slow, [event(page="/slow")])
            store.put(event(page="/quick"))
            with psycopg.connect(store.url) as connection:
                connection.execute("UPDATE edge SET last_heard = now()")
            told = [await read_horizon(client, told=None) for _ in range(2)]
            assert told == [before, before]
            slow.commit()
        frame = await read_news(client)
        assert [each.page for each in frame.feed] == ["/quick", "/slow"]
        if frame.final_until == before:
            assert await read_horizon(client, told=before) > before


async def read_horizon(client: ClientConnection, told: int | None) -> int:
    """Of the next frame that says another than `told`."""
    while True:
        frame = await read_frame(client)
        assert isinstance(frame, Delta)
        if frame.final_until is not None and frame.final_until != told:
            return frame.final_until


async def test_the_horizon_is_that_of_the_completeness_of_the_api(
    store: Store, primary: str
) -> None:
    store.add_edge("fra", heard_ago_s=0)
    store.add_edge("zrh", heard_ago_s=90, spooled=4)
    async with running_gateway(store, primary) as live, live.connect() as client:
        snapshot = await read_snapshot(client)
        async with open_transaction(store.url) as db:
            edges = await read_completeness(db, datetime.now(UTC))
        final = final_until(edges)
        assert final is not None
        assert snapshot.final_until == round(final.timestamp() * 1_000)
        zrh = snapshot.view.edges["zrh"]
        assert zrh is not None
        assert zrh.behind_since == zrh.silent_since == snapshot.final_until
        with psycopg.connect(store.url) as connection:
            connection.execute("UPDATE edge SET retired_at = now() WHERE edge = 'zrh'")
        assert await read_horizon(client, snapshot.final_until) > snapshot.final_until


async def refusal(live: Live, **how: object) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as refused:
        async with live.connect(**how):  # type: ignore[arg-type]
            pass
    response = refused.value.response
    return response.status_code, json.loads(response.body or b"")["error"]["code"]


async def test_a_ticket_works_once(store: Store, primary: str) -> None:
    ticket = store.make_ticket()
    async with running_gateway(store, primary) as live:
        async with live.connect(ticket) as client:
            await read_snapshot(client)
        assert await refusal(live, ticket=ticket) == (401, "unauthenticated")


@pytest.mark.parametrize("site", ["other.com", "", "%00", "%ff"])
async def test_a_ticket_is_good_for_its_own_site_only(
    store: Store, primary: str, site: str
) -> None:
    async with running_gateway(store, primary) as live:
        assert await refusal(live, site=site) == (401, "unauthenticated")


async def test_an_old_or_invented_ticket_is_refused(store: Store, primary: str) -> None:
    old = store.make_ticket(lasts_s=-1)
    async with running_gateway(store, primary) as live:
        assert await refusal(live, ticket=old) == (401, "unauthenticated")
        assert await refusal(live, ticket="invented") == (401, "unauthenticated")
        assert await refusal(live, ticket="") == (401, "unauthenticated")


@pytest.mark.parametrize(
    "origin",
    ["http://evil.test", "null", None, "http://dashboard.test", "http://dashboard.test:40030"],
)
async def test_another_origin_is_refused_and_costs_no_ticket(
    store: Store, primary: str, origin: str | None
) -> None:
    ticket = store.make_ticket()
    async with running_gateway(store, primary) as live:
        assert await refusal(live, ticket=ticket, origin=origin) == (403, "forbidden_origin")
        async with live.connect(ticket) as client:
            await read_snapshot(client)


@pytest.mark.parametrize("path", ["/", "/else", "//[x", "/live/", "/%6cive"])
async def test_another_path_is_not_found(store: Store, primary: str, path: str) -> None:
    async with running_gateway(store, primary) as live:
        port = live.url.rpartition(":")[2].partition("/")[0]
        reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        assert answer.startswith(b"HTTP/1.1 404")
        assert b"not_found" in answer


async def test_a_client_that_does_not_read_is_cut_off_and_another_is_not(
    store: Store, primary: str
) -> None:
    gateway = running_gateway(store, primary, realtime_send_queue_bytes=500_000)
    cut_off = cut_off_clients()
    async with gateway as live, live.connect() as quick, live.connect() as slow:
        await read_snapshot(quick)
        stop_reading(slow)
        reading = asyncio.create_task(read_pages(quick, "/end"))
        while cut_off_clients() == cut_off:
            wide = [event(page=f"/{'x' * 2_000}{number}") for number in range(20)]
            await asyncio.to_thread(store.put, *wide)
        await asyncio.to_thread(store.put, event(page="/end"))
        async with asyncio.timeout(60):
            assert "/end" in await reading
        assert cut_off_clients() == cut_off + 1
        slow.transport.abort()


def cut_off_clients() -> float:
    return REGISTRY.get_sample_value("millrace_live_cut_off_total") or 0


def stop_reading(client: ClientConnection) -> None:
    """Let the client's receive buffer fill; it is made small first."""
    raw = client.transport.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    client.transport.pause_reading()


async def read_pages(client: ClientConnection, until: str) -> set[str]:
    pages: set[str] = set()
    while until not in pages:
        pages |= {each.page for each in (await read_news(client)).feed}
    return pages


async def test_it_reads_on_after_the_database_was_away(
    postgres_server: PostgresServer, primary: str
) -> None:
    upgrade(postgres_server.url)
    store = Store(postgres_server.url)
    store.add_site()
    async with running_gateway(store, primary) as live, live.connect() as client:
        await read_snapshot(client)
        postgres_server.stop()
        with pytest.raises(InvalidStatus) as refused:
            await live.connect("any").__aenter__()
        assert refused.value.response.status_code == 503
        postgres_server.start()
        store.put(event(page="/after"))
        assert [each.page for each in (await read_news(client)).feed] == ["/after"]


async def test_the_site_of_the_tests_is_the_first(store: Store) -> None:
    with psycopg.connect(store.url) as connection:
        assert connection.execute("SELECT site_id, key FROM site").fetchall() == [(1, SITE)]
