"""A question to the archive ends at its time limit, and when nobody waits for it."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from sqlalchemy import literal_column, select, text

from api.query.archive import Archive, Unreadable
from api.query.archive_engine import Engine, Session, TookTooLong
from shared.errors import Code, Refusal

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


async def test_it_ends_though_the_first_interrupt_came_before_it_began(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt, forgotten = Session.interrupt, list[Session]()

    def forget_the_first(session: Session) -> None:
        if forgotten:
            interrupt(session)
        forgotten.append(session)

    monkeypatch.setattr(Session, "interrupt", forget_the_first)
    with pytest.raises(TookTooLong):
        await asyncio.wait_for(engine.run(ask_long, 0.2), 30)
    assert await engine.run(ask_short, 30) == [(1,)]


async def test_it_ends_when_nobody_waits_for_it(engine: Engine) -> None:
    begun = threading.Event()

    def begin(session: Session) -> object:
        begun.set()
        return ask_long(session)

    asked = asyncio.create_task(engine.run(begin, 600))
    assert await asyncio.to_thread(begun.wait, 30)
    asked.cancel()
    done, _ = await asyncio.wait((asked,), timeout=30)
    assert asked in done
    assert asked.cancelled()
    assert await engine.run(ask_short, 30) == [(1,)]


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    made = Archive(tmp_path, 16, 1)
    yield made
    made.close()


@pytest.mark.parametrize("error", [duckdb.Error, duckdb.BinderException, duckdb.IOException])
async def test_whatever_damage_looks_like_the_file_is_unreadable(
    archive: Archive, error: type[Exception]
) -> None:
    def stumble(_: Session) -> None:
        raise error("TProtocolException: Invalid data")

    with pytest.raises(Unreadable):
        await archive._run(stumble, 30)


async def test_an_answer_too_large_for_its_memory_is_refused_by_name(archive: Archive) -> None:
    huge: Any = select(literal_column("length(list(range)::text)")).select_from(
        text("range(100000000)")
    )
    with pytest.raises(Refusal) as refused:
        await archive._run(lambda session: session.rows(huge), 60)
    assert refused.value.code is Code.BAD_QUERY
    assert "memory" in refused.value.message
