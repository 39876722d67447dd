"""Whose query may run now."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from api.turns import MAX_WAITING, Turns
from shared.errors import Code, Refusal

pytestmark = pytest.mark.anyio


class Callers:
    """Queries that run until the test ends them."""

    def __init__(self, places: int) -> None:
        self.turns = Turns(places)
        self.running: list[str] = []
        self._ends: list[tuple[str, asyncio.Event]] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def ask(self, *names: str) -> None:
        for name in names:
            self.tasks.append(asyncio.create_task(self._run(name)))
        await asyncio.sleep(0)

    async def end_one(self, name: str) -> None:
        end = next(entry for entry in self._ends if entry[0] == name)
        self._ends.remove(end)
        end[1].set()
        for _ in range(3):
            await asyncio.sleep(0)

    async def _run(self, name: str) -> None:
        async with self.turns.take(name, 60):
            end = asyncio.Event()
            self._ends.append((name, end))
            self.running.append(name)
            await end.wait()
            self.running.remove(name)


async def stop(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_one_caller_leaves_half_of_the_places_and_somebody_new_finds_one_at_once() -> None:
    callers = Callers(6)
    await callers.ask(*"aaaaaaaaaa")
    assert callers.running == list("aaa")
    await callers.ask(*"bbbbb")
    assert callers.running == list("aaabb")
    await callers.ask("c")
    assert callers.running == list("aaabbc")
    await stop(callers.tasks)


async def test_a_place_goes_to_who_came_first_of_those_that_may_have_it() -> None:
    callers = Callers(2)
    await callers.ask("a", "a", "b", "c")
    assert callers.running == ["a", "b"]
    await callers.end_one("b")
    assert callers.running == ["a", "c"]
    await callers.end_one("a")
    assert callers.running == ["c", "a"]
    await stop(callers.tasks)


async def test_a_single_place_is_used() -> None:
    callers = Callers(-1)
    await callers.ask("a", "b")
    assert callers.running == ["a"]
    await callers.end_one("a")
    assert callers.running == ["b"]
    await stop(callers.tasks)


async def test_who_waits_for_too_long_is_told_so() -> None:
    turns = Turns(1)
    async with turns.take("a", 1):
        with pytest.raises(Refusal) as refused:
            async with turns.take("a", 0.01):
                pass
    assert refused.value.code is Code.RATE_LIMITED
    async with turns.take("b", 0.01):
        pass


async def test_only_so_many_of_one_caller_wait() -> None:
    callers = Callers(1)
    await callers.ask(*("a" * (MAX_WAITING + 1)))
    with pytest.raises(Refusal):
        async with callers.turns.take("a", 60):
            pass
    await callers.ask("b")
    await stop(callers.tasks)


async def test_who_goes_away_gives_the_place_back() -> None:
    callers = Callers(1)
    await callers.ask("a", "b", "c")
    callers.tasks[1].cancel()
    await callers.end_one("a")
    assert callers.running == ["c"]
    await callers.end_one("c")
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(callers.turns.take("d", 0.01))
    await stop(callers.tasks)
