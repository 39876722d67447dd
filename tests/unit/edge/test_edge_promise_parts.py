"""What a Redis promises by its own word, replies that hold arrays, and runs of numbers."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.batches.runs import Runs, merge
from edge.servers.link import ErrorReply, Link, LinkLost
from edge.servers.promise import Promise, PromiseWatch, Weakness, WeakPromise, judge, names

FILE = {"aof_enabled": "1", "aof_last_write_status": "ok", "loading": "0"}
CONFIG = {
    "appendfsync": "always",
    "maxmemory-policy": "noeviction",
    "no-appendfsync-on-rewrite": "no",
}


@pytest.mark.parametrize(
    ("info", "config", "named"),
    [
        ({}, {}, []),
        ({"aof_enabled": "0"}, {}, ["appendonly no"]),
        ({"aof_last_write_status": "err"}, {}, ["last write to the file failed"]),
        ({}, {"appendfsync": "everysec"}, ["appendfsync everysec"]),
        ({}, {"appendfsync": "no"}, ["appendfsync no"]),
        ({}, {"no-appendfsync-on-rewrite": "yes"}, ["no-appendfsync-on-rewrite yes"]),
        ({}, {"maxmemory-policy": "allkeys-lru"}, ["maxmemory-policy evicts"]),
        ({}, {"maxmemory-policy": "volatile-ttl"}, ["maxmemory-policy evicts"]),
    ],
)
def test_each_way_to_lose_what_was_confirmed_is_named(
    info: dict[str, str], config: dict[str, str], named: list[str]
) -> None:
    promise = judge({**FILE, **info}, {**CONFIG, **config})
    assert names(promise.weak) == named
    assert not promise.by_proof


def test_without_its_configuration_a_server_has_to_prove_each_write() -> None:
    promise = Promise(Weakness(0), by_proof=True)
    assert judge({**FILE, "maxmemory_policy": "noeviction"}, None) == promise
    assert judge({**FILE, "maxmemory_policy": "allkeys-lfu"}, None).weak == Weakness.EVICTS
    assert judge(FILE, None).weak == Weakness.UNKNOWN
    assert judge(None, None) == Promise(Weakness.UNKNOWN, by_proof=True)


@pytest.mark.parametrize(
    ("info", "in_doubt"),
    [
        ({}, False),
        ({"aof_rewrite_in_progress": "1"}, True),
        ({"aof_rewrite_scheduled": "1"}, True),
        ({"aof_last_bgrewrite_status": "err"}, True),
        ({"aof_rewrite_in_progress": "1", "aof_enabled": "0"}, False),
    ],
)
def test_a_file_that_is_being_rewritten_may_be_in_the_making(
    info: dict[str, str], in_doubt: bool
) -> None:
    assert judge({**FILE, **info}, CONFIG).in_doubt is in_doubt


def test_a_slow_fsync_is_named_and_not_refused() -> None:
    watch = PromiseWatch("primary", strict=True)
    for _ in range(3):
        watch.proved(1.0)
    watch.learn(Promise(Weakness(0), by_proof=True))
    assert (names(watch.weak), watch.is_used) == (["fsync is slow: everysec?"], True)
    watch.learn(Promise(Weakness(0)))
    assert not watch.weak


def test_a_server_that_loads_is_away_and_not_weak() -> None:
    with pytest.raises(ErrorReply):
        judge({**FILE, "loading": "1"}, CONFIG)


def test_strict_mode_alone_refuses_a_weaker_promise() -> None:
    strict, lenient = PromiseWatch("primary", strict=True), PromiseWatch("primary", strict=False)
    weak = Promise(Weakness.EVERY_SECOND)
    with pytest.raises(WeakPromise, match="appendfsync everysec"):
        strict.learn(weak)
    lenient.learn(weak)
    assert (strict.is_used, lenient.is_used) == (False, True)
    strict.learn(Promise(Weakness(0)))
    assert strict.is_used


class _Wire(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.sent = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += bytes(data)

    def is_closing(self) -> bool:
        return False

    def abort(self) -> None:
        """Nothing to end."""


@pytest.mark.anyio
async def test_replies_that_hold_arrays_come_whole_however_they_are_cut() -> None:
    raw = b"*2\r\n$3\r\nabc\r\n*2\r\n:7\r\n$-1\r\n+OK\r\n*-1\r\n*0\r\n-NOPERM no\r\n"
    for step in range(1, len(raw) + 1):
        link = Link()
        link.connection_made(_Wire())
        replies = link.send_all([b"x"] * 5)
        for at in range(0, len(raw), step):
            link.data_received(raw[at : at + step])
        found = await asyncio.gather(*replies, return_exceptions=True)
        assert found[:4] == [[b"abc", [7, None]], b"OK", None, []]
        assert isinstance(found[4], ErrorReply)


@pytest.mark.anyio
async def test_commands_that_belong_together_leave_in_one_write_and_fail_together() -> None:
    link, wire = Link(), _Wire()
    link.connection_made(wire)
    replies = link.send_all([b"a", b"b"])
    assert wire.sent == b"ab"
    link.abandon()
    replies += link.send_all([b"c", b"d"])
    found = await asyncio.gather(*replies, return_exceptions=True)
    assert [type(reply) for reply in found] == [LinkLost] * 4


@given(st.sets(st.integers(1, 60)), st.integers(0, 70))
def test_runs_hold_the_same_numbers_as_a_set(numbers: set[int], count: int) -> None:
    runs, in_order = Runs(most=100), sorted(numbers)
    for number in in_order:
        runs.add(number)
    assert runs.first(count) == tuple(in_order[:count])
    assert merge([(number, number) for number in numbers]) == tuple(runs)
    runs.drop_first(count)
    assert list(runs.first(100)) == in_order[count:]


def test_an_outage_of_hours_is_one_run_and_the_oldest_run_is_forgotten_first() -> None:
    runs = Runs(most=2)
    for number in range(1, 100_001):
        runs.add(number)
    assert tuple(runs) == ((1, 100_000),)
    runs.add(100_002)
    runs.add(100_004)
    assert tuple(runs) == ((100_002, 100_002), (100_004, 100_004))
