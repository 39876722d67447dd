"""The suite itself: what judges others must be right."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import UUID

import anyio
import pytest

from tests.chaos.account import Account, compare_browsed, compare_served
from tests.chaos.load import Log
from tests.chaos.plan import Harm, planned_faults
from tests.chaos.proxy import Proxy, Weather

A, B, C = (UUID(int=n) for n in (1, 2, 3))
WITHIN_S = 60.0


def test_the_schedule_is_decided_by_the_seed_alone() -> None:
    assert planned_faults(3, 600) == planned_faults(3, 600)
    assert planned_faults(3, 600) != planned_faults(4, 600)


def test_a_long_schedule_tries_every_harm_and_every_weather() -> None:
    tried = {fault.what for fault in planned_faults(1, 1_200)}
    assert tried == {*Harm, *Weather} - {Weather.CLEAR, Harm.NEW_DISK, Harm.OLD_COPY}
    with_journal = {fault.what for fault in planned_faults(1, 1_200, journal=True)}
    assert with_journal == {*Harm, *Weather} - {Weather.CLEAR}


def test_every_fault_is_over_before_the_run_is() -> None:
    assert all(fault.at_s + fault.lasts_s <= 60 for fault in planned_faults(2, 60))


def test_an_acknowledged_page_without_a_row_is_lost() -> None:
    log = Log(receipts={"/a": {A}, "/b": {B}})
    assert compare_browsed(log, [("/a", A)]).lost == {"/b"}


def test_a_page_with_two_rows_is_duplicated() -> None:
    log = Log(receipts={"/a": {A, B}})
    assert compare_browsed(log, [("/a", A), ("/a", B)]).duplicated == {"/a"}


def test_a_row_under_an_id_that_nobody_was_given_is_invented() -> None:
    log = Log(receipts={"/a": {A}})
    assert compare_browsed(log, [("/a", B)]).invented == {"/a"}


def test_a_row_of_a_request_without_an_answer_is_not_invented() -> None:
    log = Log(receipts={"/a": {A}}, unsure={"/a", "/b"})
    account = compare_browsed(log, [("/a", B), ("/b", C)])
    assert account.is_clean


def test_served_events_are_known_by_their_id() -> None:
    log = Log(served={A: {}, B: {}}, acknowledged={A, B})
    account = compare_served(log, [A, A, C])
    assert account == Account(2, frozenset({str(B)}), frozenset({str(A)}), frozenset({str(C)}))
    assert account.line == "lost 1 duplicated 1 invented 1 of 2 acknowledged"


def test_an_account_of_nothing_is_not_clean() -> None:
    assert not compare_served(Log(), []).is_clean


@asynccontextmanager
async def echo_behind_proxy() -> AsyncIterator[Proxy]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(100):
                writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    proxy = Proxy(server.sockets[0].getsockname()[1])
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
        server.close()


async def say(proxy: Proxy, word: bytes) -> bytes:
    """What comes back on a new connection; empty when it was ended."""
    with anyio.fail_after(WITHIN_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        try:
            writer.write(word)
            return await reader.readexactly(len(word))
        except (ConnectionError, asyncio.IncompleteReadError):
            return b""
        finally:
            writer.close()


@pytest.mark.anyio
@pytest.mark.parametrize("weather", [Weather.CLEAR, Weather.RESET, Weather.DELAY, Weather.NARROW])
async def test_words_come_back_in_weather_that_lets_them(weather: Weather) -> None:
    async with echo_behind_proxy() as proxy:
        await proxy.set_weather(weather, 0.01 if weather is Weather.DELAY else 1_000)
        assert await say(proxy, b"word") == b"word"


@pytest.mark.anyio
async def test_a_cut_line_takes_no_connection_until_it_is_mended() -> None:
    async with echo_behind_proxy() as proxy:
        await proxy.set_weather(Weather.CUT)
        assert await say(proxy, b"word") == b""
        await proxy.set_weather(Weather.CLEAR)
        assert await say(proxy, b"word") == b"word"


@pytest.mark.anyio
async def test_what_falls_into_a_hole_arrives_when_it_is_over() -> None:
    async with echo_behind_proxy() as proxy:
        await proxy.set_weather(Weather.HOLE)
        saying = asyncio.create_task(say(proxy, b"word"))
        await proxy.set_weather(Weather.CLEAR)
        assert await saying == b"word"


@pytest.mark.anyio
async def test_after_swallowed_replies_the_connection_is_reset() -> None:
    async with echo_behind_proxy() as proxy:
        with anyio.fail_after(WITHIN_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            # Once a word has come back, the proxy has both of its ends.
            writer.write(b"word")
            assert await reader.readexactly(4) == b"word"
            await proxy.set_weather(Weather.SWALLOW)
            writer.write(b"gone")
            await anyio.sleep(0.05)
            await proxy.set_weather(Weather.CLEAR)
            with pytest.raises(ConnectionResetError):
                await reader.read(4)
        writer.close()
