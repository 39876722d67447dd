"""Clocks that are set by hand, forward and back, here and at the primary."""

from pathlib import Path
from typing import cast

import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from edge.clock.capture import DRIFT_US_PER_S, CaptureClock, Measured, steady_clock
from edge.clock.kept import KeptClock
from edge.clock.watch import ClockWatch
from infrastructure.local.ports import free_ports
from shared.clock import US_PER_HOUR, US_PER_MS, US_PER_SECOND, system_clock
from tests.edge_under_test import edge_settings, running_edge, stored_envelopes

pytestmark = pytest.mark.anyio

START = 1_800_000_000 * US_PER_SECOND


class _Machines:
    """An edge's host and a primary. ``TIME`` takes ``to_us`` to get there and ``back_us`` back."""

    def __init__(self) -> None:
        self.steady_us = 5_000 * US_PER_SECOND
        self.wall_us = START
        self.primary_us = START
        self.to_us = self.back_us = 100
        self.is_away = False

    def pass_us(self, us: int) -> None:
        self.steady_us += us
        self.wall_us += us
        self.primary_us += us

    async def time(self) -> tuple[int, int]:
        if self.is_away:
            raise RedisConnectionError("away")
        self.pass_us(self.to_us)
        told = divmod(self.primary_us, US_PER_SECOND)
        self.pass_us(self.back_us)
        return told

    @property
    def redis(self) -> Redis:
        return cast(Redis, self)

    def clock(self, kept: Measured | None = None) -> CaptureClock:
        return CaptureClock(lambda: self.wall_us, lambda: self.steady_us, kept)


def _metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"millrace_edge_clock_{name}", labels) or 0.0


@pytest.fixture
def machines() -> _Machines:
    return _Machines()


@pytest.mark.parametrize("step", [-US_PER_HOUR, US_PER_HOUR])
@pytest.mark.parametrize("is_away", [False, True])
async def test_setting_the_hosts_clock_moves_no_beacon(
    machines: _Machines, step: int, is_away: bool
) -> None:
    clock = machines.clock()
    await clock.measure(machines.redis)
    before = clock.now()
    machines.wall_us += step
    machines.pass_us(1_000)
    if not is_away:
        await clock.measure(machines.redis)
    assert 0 < clock.now() - before <= 1_500
    assert abs(clock.now() - machines.primary_us) <= 200
    assert clock.offset_us == pytest.approx(-step, abs=200)


async def test_received_at_follows_the_primarys_clock_when_that_is_set_forward(
    machines: _Machines,
) -> None:
    clock = machines.clock()
    await clock.measure(machines.redis)
    machines.primary_us += US_PER_HOUR
    assert await clock.measure(machines.redis) == pytest.approx(US_PER_HOUR, abs=300)
    assert abs(clock.now() - machines.primary_us) <= 200


async def test_received_at_stands_until_a_primary_that_was_set_back_has_caught_up(
    machines: _Machines,
) -> None:
    clock = machines.clock()
    await clock.measure(machines.redis)
    before = clock.now()
    machines.primary_us -= US_PER_HOUR
    assert await clock.measure(machines.redis) == pytest.approx(-US_PER_HOUR, abs=300)
    machines.pass_us(US_PER_HOUR // 2)
    assert clock.now() == before
    assert clock.ahead_us == pytest.approx(US_PER_HOUR / 2, abs=1_000)
    machines.pass_us(US_PER_HOUR // 2 + US_PER_SECOND)
    assert before < clock.now()
    assert abs(clock.now() - machines.primary_us) <= 200
    assert clock.ahead_us == 0


async def test_a_slow_answer_takes_nothing_away_from_what_a_quick_one_said(
    machines: _Machines,
) -> None:
    clock = machines.clock()
    await clock.measure(machines.redis)
    machines.to_us = 900 * US_PER_MS
    assert await clock.measure(machines.redis) == 0
    assert abs(clock.now() - machines.primary_us) <= 101 + DRIFT_US_PER_S
    assert (clock.error_us or 0) <= 101 + DRIFT_US_PER_S


async def test_a_first_answer_that_is_slow_is_wrong_by_half_its_time_at_most_and_says_so(
    machines: _Machines,
) -> None:
    clock = machines.clock()
    machines.to_us, machines.back_us = 0, 800 * US_PER_MS
    await clock.measure(machines.redis)
    assert abs(clock.now() - machines.primary_us) == 400 * US_PER_MS
    assert clock.error_us == 400 * US_PER_MS + 1
    machines.back_us = 100
    await clock.measure(machines.redis)
    assert abs(clock.now() - machines.primary_us) <= 200 or clock.ahead_us > 0
    assert (clock.error_us or 0) <= 51


async def test_what_is_known_grows_worse_in_an_outage(machines: _Machines) -> None:
    clock = machines.clock()
    await clock.measure(machines.redis)
    at_once = clock.error_us or 0
    machines.pass_us(US_PER_HOUR)
    assert clock.error_us == at_once + 3_600 * DRIFT_US_PER_S


async def test_with_the_primary_away_from_the_start_the_offset_is_told_to_be_unknown(
    machines: _Machines, tmp_path: Path
) -> None:
    machines.is_away = True
    clock = machines.clock()
    watch = ClockWatch(clock, KeptClock(tmp_path))
    with pytest.raises(RedisConnectionError):
        await watch.measure(machines.redis)
    assert (clock.now(), clock.error_us) == (START, None)
    assert _metric("known") == 0
    machines.is_away = False
    await watch.measure(machines.redis)
    assert _metric("known") == 1
    assert 0 < _metric("error_seconds") < 0.001


@pytest.mark.parametrize("whose", ["host", "primary"])
@pytest.mark.parametrize("step", [-US_PER_HOUR, US_PER_HOUR])
async def test_a_great_step_is_logged_and_counted_with_whose_it_was(
    machines: _Machines,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    whose: str,
    step: int,
) -> None:
    clock = machines.clock()
    watch = ClockWatch(clock, KeptClock(tmp_path))
    await watch.measure(machines.redis)
    clock.now()
    before = {each: _metric("steps_total", whose=each) for each in ("host", "primary")}
    machines.wall_us += step if whose == "host" else US_PER_MS
    machines.primary_us += step if whose == "primary" else US_PER_MS
    await watch.measure(machines.redis)
    await watch.measure(machines.redis)
    after = {each: _metric("steps_total", whose=each) for each in before}
    assert after == before | {whose: before[whose] + 1}
    assert [record.message for record in caplog.records if record.name == "edge"] == [
        f"the {whose}'s clock was set by {step / US_PER_SECOND:+.1f} s"
    ]
    assert _metric("ahead_seconds") == pytest.approx(
        3_600 if (whose, step) == ("primary", -US_PER_HOUR) else 0, abs=1
    )


async def test_the_hosts_clock_is_watched_in_an_outage_too(
    machines: _Machines, tmp_path: Path
) -> None:
    watch = ClockWatch(machines.clock(), KeptClock(tmp_path))
    machines.is_away = True
    machines.wall_us -= US_PER_HOUR
    before = _metric("steps_total", whose="host")
    with pytest.raises(RedisConnectionError):
        await watch.measure(machines.redis)
    assert _metric("steps_total", whose="host") == before + 1


async def test_a_worker_that_starts_in_an_outage_knows_what_the_last_one_measured(
    machines: _Machines, tmp_path: Path
) -> None:
    watch = ClockWatch(machines.clock(), KeptClock(tmp_path))
    machines.primary_us += 7 * US_PER_SECOND
    await watch.measure(machines.redis)
    machines.is_away = True
    machines.wall_us -= US_PER_HOUR
    machines.pass_us(60 * US_PER_SECOND)
    clock = machines.clock(KeptClock(tmp_path).read())
    assert abs(clock.now() - machines.primary_us) <= 101
    assert clock.error_us == 101 + 60 * DRIFT_US_PER_S


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"\xff", b"\0" * 256, b'{"machine_start":"x","measured":[1,2]}']
)
def test_a_kept_clock_that_cannot_be_read_is_none(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "clock").write_bytes(raw)
    assert KeptClock(tmp_path).read() is None


def test_a_kept_clock_is_worth_nothing_after_the_machine_was_started_anew(tmp_path: Path) -> None:
    KeptClock(tmp_path).write(Measured(1, 2, 3))
    KeptClock(tmp_path).write(Measured(-(10**17), 10**12, 10**16))
    KeptClock(tmp_path).write(Measured(1, 2, 3))
    assert KeptClock(tmp_path).read() == Measured(1, 2, 3)
    later = tmp_path / "machine-start"
    later.write_text("another\n")
    assert KeptClock(tmp_path, later).read() is None


def test_a_kept_clock_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    KeptClock(tmp_path / "nowhere").write(Measured(1, 2, 3))


async def test_a_clock_set_back_repeats_no_receipt_and_runs_no_received_at_back(
    primary: str, spool: str, tmp_path: Path
) -> None:
    receipts = []
    async with running_edge(edge_settings(primary, spool, tmp_path)) as edge:
        for step in (0, -US_PER_HOUR, 0, US_PER_HOUR, -US_PER_HOUR):
            now = steady_clock()
            edge.worker.clock.correct(system_clock() + step, now, now)
            receipts += [(await edge.post()).json["receipts"][0] for _ in range(3)]
    received = [envelope.received_at for envelope in stored_envelopes(primary)]
    assert received == sorted(received)
    assert len(set(receipts)) == len(receipts) == len(received)


async def test_a_worker_started_after_a_step_back_may_run_back_and_repeats_no_receipt(
    primary: str, spool: str, tmp_path: Path
) -> None:
    nowhere = f"redis://127.0.0.1:{free_ports(1)[0]}/0"
    receipts = []
    for step in (0, -US_PER_HOUR):
        anchor = system_clock() - steady_clock() + step
        KeptClock(tmp_path).write(Measured(anchor, 100, steady_clock()))
        async with running_edge(edge_settings(nowhere, spool, tmp_path)) as edge:
            receipts += [(await edge.post()).json["receipts"][0] for _ in range(3)]
    received = [envelope.received_at for envelope in stored_envelopes(spool)]
    assert received[3] < received[2] - US_PER_HOUR // 2
    assert len(set(receipts)) == len(received) == 6
