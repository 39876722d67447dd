"""Damage to the spool's file: every damaged batch is noticed, and nothing else is lost."""

import re
from pathlib import Path
from random import Random
from uuid import UUID

import psycopg
import pytest
from click.testing import CliRunner

from infrastructure.cli import cli
from infrastructure.local.installation import EDGE
from infrastructure.local.product import Product
from infrastructure.problem import Problem
from shared.receipt import Place, place
from tests.journeys.visit_world import VisitWorld, until
from writer.ledger.equation import read_edge

_BODY = re.compile(rb"\$4\r\nbody\r\n\$(\d+)\r\n")
_SPOOLED, _FLIPPED, _CUT = 20, 4, 3
_WITHIN_S = 180.0


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


def cut_tail(file: Path, count: int) -> None:
    """The last so many entries, the first of them in its middle."""
    found = list(_BODY.finditer(file.read_bytes()))[-count]
    with file.open("r+b") as opened:
        opened.truncate(found.end() + int(found[1]) // 2)


def spool_file(world: VisitWorld) -> Path:
    return next((world.spool.folder / "appendonlydir").glob("*.incr.aof"))


async def spooled_visits(world: VisitWorld) -> list[UUID]:
    """Receipts of visits that lie in the spool, a batch each; both Redis servers are dead."""
    world.primary.kill()
    receipts = [await world.visit(f"/{n}") for n in range(_SPOOLED)]
    assert world.spooled() == _SPOOLED
    world.spool.kill()
    return receipts


async def bring_back(world: VisitWorld) -> None:
    """Start them, and wait until everything is looked at."""
    world.spool.start()
    world.primary.start()

    async def all_looked_at() -> bool:
        return not world.under_way()

    await until(all_looked_at, "spool and stream are empty", _WITHIN_S)


def missing_numbers(world: VisitWorld) -> set[Place]:
    """What the ledger names as lost, as the places of single events."""
    with (
        psycopg.connect(world.product.postgres_url, autocommit=True) as db,
        world.primary.client() as redis,
    ):
        return {
            Place(int(missing.boot, 16), seq, 0)
            for missing in read_edge(db, redis, EDGE).missing
            for first, last in missing.numbers
            for seq in range(first, last + 1)
        }


@pytest.mark.anyio
async def test_flipped_bits_cost_their_own_batch_and_each_is_set_aside(millrace: Product) -> None:
    async with VisitWorld.open(millrace) as world:
        receipts = await spooled_visits(world)
        flip_bodies(spool_file(world), _FLIPPED, Random(1))
        await bring_back(world)
        stored = set(world.rows())
        assert len(set_aside_whole(world)) == _FLIPPED
        assert stored <= set(receipts)
        assert len(set(receipts) - stored) == _FLIPPED


@pytest.mark.anyio
async def test_batches_cut_off_a_spool_are_named_by_the_ledger(millrace: Product) -> None:
    async with VisitWorld.open(millrace) as world:
        receipts = await spooled_visits(world)
        cut_tail(spool_file(world), _CUT)
        await bring_back(world)
        assert set(receipts[:-_CUT]) == set(world.rows())
        cut = {place(receipt) for receipt in receipts[-_CUT:]}

        async def named() -> bool:
            return missing_numbers(world) == cut

        await until(named, "the ledger names what was cut", _WITHIN_S)


_ADDED = re.compile(rb"\*\d+\r\n\$4\r\nXADD\r\n\$\d+\r\n[^\r]+\r\n\$\d+\r\n(\d+-\d+)")


@pytest.mark.anyio
@pytest.mark.parametrize("where", ["id", "framing"])
async def test_a_damaged_command_stops_the_spool_and_a_repair_saves_all_others(
    millrace: Product, where: str
) -> None:
    async with VisitWorld.open(millrace) as world:
        receipts = await spooled_visits(world)
        file = spool_file(world)
        raw = bytearray(file.read_bytes())
        hit = list(_ADDED.finditer(bytes(raw)))[_CUT]
        raw[hit.start(1) if where == "id" else hit.start()] ^= 8
        file.write_bytes(raw)
        with pytest.raises(Problem):
            world.spool.start()
        folder = str(world.spool.folder)
        repaired = CliRunner().invoke(cli, ["spool", "repair", folder, "--yes"])
        assert repaired.exit_code == 0, repaired.output
        await bring_back(world)
        lost = set(receipts) - set(world.rows())
        assert lost <= {receipts[_CUT]}
        at_fault = {place(receipt) for receipt in lost}

        async def accounted() -> bool:
            return missing_numbers(world) == at_fault

        await until(accounted, "the ledger names what was lost, and nothing else", _WITHIN_S)
