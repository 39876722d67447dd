"""One event from HTTP to the query answer and to a WebSocket frame, with and without an outage."""

from collections import Counter
from collections.abc import Callable
from uuid import UUID, uuid4

import psycopg
import pytest

from infrastructure.demo.household import SITE
from infrastructure.local.product import Product
from tests.journeys.visit_world import VisitWorld, until, until_in_feed

pytestmark = pytest.mark.anyio


async def test_one_page_view_reaches_the_answer_of_a_query_and_a_live_frame(
    millrace: Product,
) -> None:
    async with VisitWorld.open(millrace) as world, world.live() as socket:
        receipt = await world.visit("/pricing")
        frames = await until_in_feed(socket, [receipt])
        event = frames[-1]["feed"][0]
        assert (event["page"], event["browser"], event["device"]) == (
            "/pricing",
            "Chrome",
            "desktop",
        )
        assert frames[-1]["view"]["here"] == 1
        # An answer may be some seconds behind what is stored.
        await world.until_stored([receipt])
        metrics = ["visitors", "visits", "pageviews"]
        assert await world.query(metrics, ["event:page"]) == {("/pricing",): [1, 1, 1]}
        assert world.rows() == [receipt]


@pytest.mark.parametrize(
    ("fail", "recover"),
    [
        pytest.param(
            lambda world: world.primary.stop(), lambda world: world.primary.start(), id="refused"
        ),
        pytest.param(
            lambda world: world.primary.pause(), lambda world: world.primary.resume(), id="hung"
        ),
        pytest.param(
            lambda world: world.primary.kill(), lambda world: world.primary.start(), id="killed"
        ),
    ],
)
async def test_an_outage_of_the_primary_leaves_no_trace(
    millrace: Product,
    fail: Callable[[VisitWorld], None],
    recover: Callable[[VisitWorld], None],
) -> None:
    async with VisitWorld.open(millrace) as world, world.live() as socket:
        receipts = [await world.visit(f"/before/{n}") for n in range(5)]
        fail(world)
        receipts += [await world.visit(f"/outage/{n}") for n in range(20)]
        assert world.spooled() > 0
        recover(world)
        receipts += [await world.visit(f"/after/{n}") for n in range(5)]
        await until_in_feed(socket, receipts)
        await world.until_stored(receipts)
        assert Counter(world.rows()) == Counter(receipts)
        by_page = await world.query(["pageviews"], ["event:page"])
        assert by_page == {
            (f"/{when}/{n}",): [1]
            for when, count in (("before", 5), ("outage", 20), ("after", 5))
            for n in range(count)
        }


async def test_a_retry_through_an_outage_is_one_event(millrace: Product) -> None:
    async with VisitWorld.open(millrace) as world:
        client_id = uuid4()
        first = await world.visit("/", client_id)
        world.primary.stop()
        await world.visit("/", client_id)
        world.primary.start()
        await world.visit("/", client_id)
        await world.until_stored([first])
        assert world.rows() == [first]


async def test_a_writer_killed_between_commit_and_ack_stores_nothing_twice(
    millrace: Product,
) -> None:
    async with VisitWorld.open(millrace) as world:
        before = await world.visit("/before")
        await world.until_stored([before])
        receipts = [before, *(await _stored_and_not_acked(world))]
        millrace.services["writer"].kill()
        world.primary.start()
        assert world.under_way() > 0
        millrace.services["writer"].start()
        receipts.append(await world.visit("/after"))
        await world.until_stored(receipts)
        assert Counter(world.rows()) == Counter(receipts)
        assert await world.query(["pageviews"], []) == {(): [len(receipts)]}


async def _stored_and_not_acked(world: VisitWorld) -> list[UUID]:
    """Events whose transaction is committed while the primary is dead, so that no ack gets through:
    a primary that only hangs would find one in its socket.

    A lock holds the writer's transaction up until the primary is killed.
    """
    with psycopg.connect(world.product.postgres_url) as blocker:
        blocker.execute("lock table events in share row exclusive mode")
        receipts = [await world.visit(f"/page/{n}") for n in range(3)]

        async def writer_waits() -> bool:
            with psycopg.connect(world.product.postgres_url) as db:
                waiting = db.execute(
                    "select count(*) from pg_locks join pg_class on pg_class.oid = relation"
                    " where relname = 'events' and mode = 'RowExclusiveLock' and not granted"
                ).fetchone()
                return waiting is not None and waiting[0] > 0

        await until(writer_waits, "the writer inserts")
        world.primary.kill()
        blocker.rollback()

    async def committed() -> bool:
        return receipts[0] in world.rows()

    await until(committed, "the writer's transaction is committed")
    return receipts


async def test_a_bot_is_stored_and_marked_and_in_no_number(millrace: Product) -> None:
    async with VisitWorld.open(millrace) as world:
        answer = await world.client.post(
            f"{millrace.edge_url}/track",
            json={"site": SITE, "url": f"https://{SITE}/"},
            headers={"user-agent": "curl/8.16.0"},
        )
        receipt = UUID(answer.json()["receipts"][0])
        await world.until_stored([receipt])
        assert await world.query(["pageviews"], []) == {(): [0]}
