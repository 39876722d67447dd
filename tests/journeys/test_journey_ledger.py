"""The equation of the ledger through outages, kills and retries; and a loss that is noticed."""

from uuid import uuid4

import httpx
import psycopg
import pytest
from redis import Redis

from infrastructure.local.installation import EDGE
from infrastructure.local.product import Product
from tests.journeys.visit_world import STREAM, VisitWorld, until
from writer.ledger.equation import EdgeSums, read_edge

pytestmark = pytest.mark.anyio

WITHIN_S = 120.0


def sums_of(world: VisitWorld) -> EdgeSums:
    with (
        psycopg.connect(world.product.postgres_url, autocommit=True) as db,
        Redis.from_url(world.primary.url) as redis,
    ):
        return read_edge(db, redis, EDGE)


async def edge_answers(world: VisitWorld) -> bool:
    try:
        return (await world.client.get(f"{world.product.edge_url}/t.js")).status_code == 200
    except httpx.TransportError:
        return False


async def test_the_equation_holds_at_every_look_through_outage_kills_and_retries(
    millrace: Product,
) -> None:
    async with VisitWorld.open(millrace) as world:
        looks: list[EdgeSums] = []
        retried = uuid4()
        receipts = [await world.visit(f"/before/{n}") for n in range(5)]
        receipts.append(await world.visit("/retried", retried))
        world.primary.stop()
        receipts += [await world.visit(f"/outage/{n}") for n in range(10)]
        await world.visit("/retried", retried)
        millrace.services["edge"].kill()
        millrace.services["edge"].start()
        await until(lambda: edge_answers(world), "the edge is back", WITHIN_S)
        receipts += [await world.visit(f"/outage/again/{n}") for n in range(3)]
        world.primary.start()
        looks.append(sums_of(world))
        millrace.services["writer"].kill()
        receipts += [await world.visit(f"/after/{n}") for n in range(3)]
        looks.append(sums_of(world))
        millrace.services["writer"].start()

        async def has_settled() -> bool:
            looks.append(sums_of(world))
            last = looks[-1]
            return last.stored == len(receipts) and not last.in_flight + last.spooled

        await until(has_settled, "everything is stored", WITHIN_S)
        assert [look.missing for look in looks if look.missing] == []
        last = looks[-1]
        assert (last.received, last.duplicate) == (len(receipts) + 1, 1)
        for look in looks:
            right = look.stored + look.duplicate + look.quarantined + look.in_flight + look.spooled
            assert look.received == right


async def test_a_batch_deleted_from_the_stream_is_named_as_lost(millrace: Product) -> None:
    async with VisitWorld.open(millrace) as world:
        receipt = await world.visit("/stored")
        await world.until_stored([receipt])
        millrace.services["writer"].pause()
        await world.visit("/gone")
        with Redis.from_url(world.primary.url) as redis:

            async def is_there() -> bool:
                return bool(redis.xlen(STREAM) == 1)

            # By way of the spool where the disk has stalled for a moment.
            await until(is_there, "the batch is in the stream")
            [(entry_id, fields)] = redis.xrange(STREAM)
            redis.xdel(STREAM, entry_id)
        millrace.services["writer"].kill()
        millrace.services["writer"].start()

        async def is_told() -> bool:
            with psycopg.connect(world.product.postgres_url, autocommit=True) as db:
                found = db.execute("select to_hex(boot), lost::text from boot where lost <> '{}'")
                seq = int(fields[b"seq"])
                told = (f"{int(fields[b'boot'], 16):x}", f"{{[{seq},{seq + 1})}}")
                return found.fetchall() == [told]

        await until(is_told, "the ledger says what is lost", WITHIN_S)
        [missing] = sums_of(world).missing
        assert missing.boot == fields[b"boot"].decode()
