"""Sealing keys are rotated while beacons wait in the spool."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from infrastructure.cli import cli
from infrastructure.local.product import Product
from infrastructure.local.redis_server import RedisServer
from shared.keys import public_seal_key, read_verify_key
from shared.snapshot import REDIS_KEY, verify
from tests.journeys.visit_world import VisitWorld, until

pytestmark = pytest.mark.anyio


async def test_what_waits_in_the_spool_while_keys_are_rotated_is_stored_like_all_else(
    millrace: Product,
) -> None:
    async with VisitWorld.open(millrace) as world:
        receipts = [await world.visit("/before")]
        await world.until_stored(receipts)
        world.primary.pause()
        receipts += [await world.visit(f"/outage/{n}") for n in range(10)]
        assert world.spooled() > 0
        rotated = CliRunner(env=dict(millrace.settings)).invoke(cli, ["keys", "rotate"])
        assert rotated.exit_code == 0, rotated.output
        world.primary.resume()
        fresh = first_key_in_the_file(millrace)

        async def told() -> bool:
            return newest_key(world.primary, millrace) == fresh

        await until(told, "edges are told of the fresh key")
        receipts += [await world.visit(f"/after/{n}") for n in range(10)]
        await world.until_stored(receipts)
        assert sorted(world.rows()) == sorted(receipts)


def first_key_in_the_file(product: Product) -> str:
    text = Path(product.settings["MILLRACE_SEAL_KEYS_FILE"]).read_text()
    return public_seal_key(text.split()[0])


def newest_key(primary: RedisServer, product: Product) -> str:
    """What the core tells its edges to seal to."""
    with primary.client() as client:
        raw = client.get(REDIS_KEY)
    assert isinstance(raw, bytes)
    pinned = read_verify_key(product.settings["MILLRACE_CORE_VERIFY_KEY"])
    return verify(raw, pinned).seal_keys[0]
