"""A question to the archive ends at its time limit, and when nobody waits for it."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import literal_column, select, text

from api.query.archive_engine import Engine, Session, TookTooLong

pytestmark = pytest.mark.anyio

LONG: Any = select(literal_column("sum(a.range * b.range)")).select_from(
    text("range(10000000) a, range(10000000) b")
)
SHORT: Any = select(literal_column("1"))


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = Engine(128, 1)
    yield made
    made.close()


def ask_long(session: Session) -> object:
    return session.rows(LONG)


def ask_short(session: Session) -> object:
    return session.rows(SHORT)


async def test_it_ends_at_its_time_limit_and_the_next_is_answered(engine: Engine) -> None:
    with pytest.raises(TookTooLong):
        await asyncio.wait_for(engine.run(ask_long, 0.2), 30)
    assert await engine.run(ask_short, 30) == [(1,)]


async def test_it_ends_when_nobody_waits_for_it(engine: Engine) -> None:
    asked = asyncio.create_task(engine.run(ask_long, 600))
    await asyncio.sleep(0.2)
    asked.cancel()
    done, _ = await asyncio.wait((asked,), timeout=30)
    assert asked in done
    assert asked.cancelled()
    assert await engine.run(ask_short, 30) == [(1,)]
