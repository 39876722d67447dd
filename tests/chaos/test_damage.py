"""Bytes that flip in the spool's file: every damaged batch is noticed, and nothing else is lost."""

import re
from pathlib import Path
from random import Random
from uuid import UUID

import psycopg
import pytest

from infrastructure.local.product import Product
from tests.journeys.visit_world import VisitWorld, until

_BODY = re.compile(rb"\$4\r\nbody\r\n\$(\d+)\r\n")
_SPOOLED, _FLIPPED = 20, 4
_WITHIN_S = 60.0


def flip_bodies(file: Path, count: int, random: Random) -> None:
    """One bit in so many of the sealed bodies that a Redis wrote."""
    raw = bytearray(file.read_bytes())
    for found in random.sample(list(_BODY.finditer(bytes(raw))), count):
        at = found.end() + random.randrange(int(found[1]))
        raw[at] ^= 1 << random.randrange(8)
    file.write_bytes(raw)


def set_aside_whole(world: VisitWorld) -> list[tuple[str, int]]:
    """(boot, seq) of the entries in the quarantine."""
    with psycopg.connect(world.product.postgres_url) as db:
        return db.execute("select boot, seq from quarantine where index is null").fetchall()


@pytest.mark.anyio
async def test_flipped_bits_cost_their_own_batch_and_each_is_set_aside(millrace: Product) -> None:
    async with VisitWorld.open(millrace) as world:
        world.primary.kill()
        receipts: set[UUID] = {await world.visit(f"/{n}") for n in range(_SPOOLED)}
        assert world.spooled() == _SPOOLED, "each visit is a batch of its own"
        world.spool.kill()
        file = next((world.spool.folder / "appendonlydir").glob("*.incr.aof"))
        flip_bodies(file, _FLIPPED, Random(1))
        world.spool.start()
        world.primary.start()

        async def all_looked_at() -> bool:
            return not world.under_way()

        await until(all_looked_at, "spool and stream are empty", _WITHIN_S)
        stored = set(world.rows())
        assert len(set_aside_whole(world)) == _FLIPPED
        assert stored <= receipts
        assert len(receipts - stored) == _FLIPPED
