"""A loss that an operator has looked into: kept on the account, and no longer waited for."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from click.testing import Result

from api.completeness import read_accepted_losses, read_completeness
from api.database import open_transaction
from api.sites import read_site
from tests.integration.ledger_world import World, made_world
from tests.writer_world import NOON, SITE, rows
from writer.ledger.fold import numbers_of
from writer.stream import stream_key

pytestmark = pytest.mark.anyio

BOOT = "000000000abc"
SECOND = 1_000_000


@pytest.fixture
async def world(database: str, primary: str) -> AsyncIterator[World]:
    async with made_world(database, primary) as made:
        yield made


@pytest.fixture
def run(
    primary: str, core_verb: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    monkeypatch.setenv("MILLRACE_PRIMARY_URL", primary)
    return partial(core_verb, "ledger")


async def lose(world: World) -> Any:
    """Number 2 of three, with two events, which is returned; 1 and 3 are stored."""
    first, gone, last = world.acknowledge(1), world.acknowledge(2), world.acknowledge(3)
    world.pipe.put(first)
    await world.tell(1, low_time=NOON - 9 * SECOND)
    world.pipe.put(last)
    await world.tell(3, low_time=NOON)
    for _ in range(2):
        await world.ledger.look_for_losses()
    return gone


async def final_until(database: str) -> datetime:
    async with open_transaction(database) as db:
        [edge] = await read_completeness(db, datetime.fromtimestamp(NOON / 1e6, UTC))
    return edge.final_until


def at(us: int) -> datetime:
    return datetime.fromtimestamp(us / 1e6, UTC)


async def test_an_accepted_loss_is_kept_with_who_and_why_and_holds_nothing_up(
    world: World, database: str, run: Callable[..., Result]
) -> None:
    await lose(world)
    assert run().exit_code == 1
    assert await final_until(database) == at(NOON - 9 * SECOND)
    words = ["accept", "e1", BOOT, "--yes", "--by", "ann", "--note", "disk of the spool died"]
    result = run(*words)
    assert result.exit_code == 0, result.output
    told = (
        f"e1, boot {BOOT}, numbers 2 (2 events, received between 2026-06-10 11:59:51Z and "
        "2026-06-10 12:00:00Z): lost, accepted on "
    )
    assert told in result.output
    assert result.output.endswith(" by ann: disk of the spool died\n")
    account = run()
    assert (account.exit_code, told in account.output) == (0, True)
    assert "The equation holds." in account.output
    sums = world.sums()
    assert (sums.accepted_lost, sums.spooled, sums.holds) == (2, 0, True)
    right = sums.stored + sums.accepted_lost + sum(sums.dropped.values())
    assert sums.received == right == 8
    await world.tell(3, low_time=NOON)
    await world.ledger.look_for_losses()
    assert rows(database, "select lost::text, accepted::text from boot") == [("{}", "{[2,3)}")]
    assert await final_until(database) == at(NOON)


async def test_the_days_that_may_lack_something_are_named(
    world: World, database: str, run: Callable[..., Result]
) -> None:
    await lose(world)
    assert (run("accept", "e1", BOOT, "--yes")).exit_code == 0
    async with open_transaction(database) as db:
        [loss] = await read_accepted_losses(db, await read_site(db, SITE, at(NOON)))
        [without_site] = await read_accepted_losses(db, None)
    assert (loss.edge, loss.batches, loss.events, loss.until) == ("e1", 1, 2, at(NOON))
    assert [str(day) for day in (loss.first_day, loss.last_day)] == ["2026-06-09", "2026-06-10"]
    assert without_site.first_day is None
    found = run("--json")
    [shown] = json.loads(found.output)["accepted_losses"]
    assert (shown["boot"], shown["numbers"], shown["events"]) == (BOOT, [[2, 2]], 2)


async def test_a_look_that_began_before_does_not_call_it_lost_again(
    world: World, database: str, run: Callable[..., Result], caplog: pytest.LogCaptureFixture
) -> None:
    await lose(world)
    run("accept", "e1", BOOT, "--yes")
    caplog.clear()
    for _ in range(3):
        await world.ledger.look_for_losses()
    assert "lost" not in caplog.text
    assert rows(database, "select lost::text from boot") == [("{}",)]


async def test_what_lands_after_all_is_stored_and_lost_no_longer(
    world: World, run: Callable[..., Result]
) -> None:
    gone = await lose(world)
    run("accept", "e1", BOOT, "--yes")
    world.pipe.put(gone)
    sums = world.sums()
    assert (sums.stored, sums.accepted_lost, sums.holds) == (6, 0, True)
    await world.ledger.look_for_losses()
    assert (world.sums().accepted_lost, world.sums().holds) == (0, True)


async def test_a_later_loss_of_the_same_boot_is_a_new_one(
    world: World, run: Callable[..., Result]
) -> None:
    await lose(world)
    run("accept", "e1", BOOT, "--yes")
    world.acknowledge(4)
    await world.tell(4)
    [missing] = world.sums().missing
    assert (missing.numbers, missing.events) == (((4, 4),), 4)
    for _ in range(2):
        await world.ledger.look_for_losses()
    run("accept", "e1", BOOT, "--yes")
    sums = world.sums()
    assert (sums.accepted_lost, sums.holds) == (6, True)
    [(accepted,)] = world.db.execute("select accepted from boot").fetchall()
    assert numbers_of(accepted) == "2, 4"


async def test_only_what_the_ledger_calls_lost_can_be_accepted(
    world: World, database: str, run: Callable[..., Result]
) -> None:
    def told(*words: str) -> str:
        result = run("accept", *words, "--yes")
        assert result.exit_code == 1
        return result.output

    assert "There is no edge e9" in told("e9", BOOT)
    assert f"Nothing of boot {BOOT} of edge e1 is lost" in told("e1", BOOT)
    world.pipe.put(world.acknowledge(1))
    world.send(world.acknowledge(1))
    world.acknowledge(1)
    await world.tell(3)
    # The stream still holds number 2, and until it is past that no number is judged.
    assert "try again in a minute" in told("e1", BOOT)
    await world.tell(3, last_acked=4)
    assert "still holds other batches" in told("e1", BOOT)
    assert rows(database, "select accepted::text from boot") == [("{}",)]
    assert world.redis.xlen(stream_key("e1")) == 1


async def test_who_says_no_to_the_question_has_accepted_nothing(
    world: World, database: str, run: Callable[..., Result]
) -> None:
    await lose(world)
    result = run("accept", "e1", BOOT)
    assert result.exit_code == 1
    assert "Accept that they are lost for ever?" in result.output
    assert rows(database, "select lost::text from boot") == [("{[2,3)}",)]


async def test_the_ledger_loses_nothing_of_its_numbers_in_a_narrow_pipe(
    world: World,
    database: str,
    run: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    site = f"{'x' * 60}.example"
    counts = {site: {"received": 2_000_000_001, "dropped:bot": 1_999_999_999, "dropped:dnt": 2}}
    await world.tell(0, counts=counts)
    output = run().output
    for whole in ("2,000,000,001", "1,999,999,999 bot, 2 dnt", site, "accepted loss"):
        assert whole in output


async def test_words_that_are_no_text_are_a_mistake_and_no_fault(
    world: World, run: Callable[..., Result]
) -> None:
    bad = "a\udcff"
    for words in (
        ("--edge", bad),
        ("accept", bad, BOOT),
        ("accept", "e1", bad),
        ("accept", "e1", BOOT, "--note", bad),
        ("accept", "e1", BOOT, "--by", "\0"),
    ):
        assert run(*words).exit_code == 2
