"""The pure parts: breaker, rates, clock, origins, captured headers, slices."""

from edge.admission.limits import BURST_S, Rate, RateByKey
from edge.admission.origins import Origins
from edge.clock.capture import CaptureClock
from edge.failover.breaker import Breaker, Trouble
from edge.http.request import captured_headers
from edge.spool.sending import SLICE_BYTES, slices
from edge.spool.stream import Entry


class _Hands:
    """A clock that is moved by hand."""

    def __init__(self, now: int = 0) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def test_only_a_proof_begun_after_the_breaker_opened_counts() -> None:
    clock = _Hands(100)
    breaker = Breaker(clock)
    breaker.open(Trouble.HUNG)
    assert not breaker.proven_since(100)
    assert breaker.proven_since(101)
    breaker.close()
    assert not breaker.is_open


def test_a_failure_while_trying_anew_asks_for_a_newer_proof_and_is_one_outage() -> None:
    clock, told = _Hands(100), list[Trouble]()
    breaker = Breaker(clock)
    breaker.on_open = told.append
    breaker.open(Trouble.REFUSED)
    clock.now = 200
    breaker.open(Trouble.HUNG)
    assert not breaker.proven_since(150)
    assert told == [Trouble.REFUSED]


def test_a_rate_gives_its_burst_and_then_its_share() -> None:
    rate, now, passed = Rate(10), 1_000.0, 0
    while rate.wait_s(now) == 0:
        rate.charge(now, 1)
        passed += 1
    assert 10 * BURST_S <= passed <= 10 * BURST_S + 1
    assert rate.wait_s(now) > 0
    assert rate.wait_s(now + 0.2) == 0


def test_an_array_larger_than_the_rate_passes_and_is_paid_back() -> None:
    rate = Rate(1)
    assert rate.wait_s(1_000.0) == 0
    rate.charge(1_000.0, 100)
    assert 97 <= rate.wait_s(1_000.0) <= 100


def test_rates_by_key_hold_bounded_memory_and_keep_the_busy_ones() -> None:
    rates: RateByKey[int] = RateByKey(1, most_keys=100)
    for stranger in range(10_000):
        rates.charge(-1, 0.0, 1)
        rates.charge(stranger, 0.0, 1)
    assert len(rates) <= 102
    assert rates.wait_s(-1, 0.0) > 1_000


def test_capture_time_never_runs_back_when_the_primary_corrects_it() -> None:
    wall, steady = _Hands(5_000_000), _Hands(1_000)
    clock = CaptureClock(wall, steady)
    assert clock.now() == 5_000_000
    clock.correct(4_000_000, asked_at=900, answered_at=1_100)
    assert clock.now() == 5_000_000
    steady.now += 1_500_000
    assert clock.now() == 5_500_000


def test_capture_time_is_the_primarys_half_a_round_trip_later() -> None:
    wall, steady = _Hands(0), _Hands(0)
    clock = CaptureClock(wall, steady)
    clock.correct(1_000_000, asked_at=0, answered_at=200)
    steady.now = 200
    assert clock.now() == 1_000_100
    assert clock.offset_us == 1_000_100


def test_a_step_of_the_wall_clock_moves_no_beacon() -> None:
    wall, steady = _Hands(5_000_000), _Hands(0)
    clock = CaptureClock(wall, steady)
    wall.now += 3_600_000_000
    steady.now += 10
    assert clock.now() == 5_000_010


def test_a_star_allows_every_origin_but_null() -> None:
    origins = Origins("shop.example", ["*"])
    assert origins.allow("https://anything.example")
    assert not origins.allow("null")


def test_captured_headers_are_bounded_text() -> None:
    captured = captured_headers(
        {
            b"user-agent": b"\xff" * 2_000,
            b"accept-language": b" de-CH ;q=0.9, en",
            b"referer": "https://ex\u00e4mple/".encode() + b"a" * 5_000,
        }
    )
    assert len(captured.user_agent.encode()) <= 1_024
    assert captured.language == "de-CH"
    assert len(captured.referer.encode()) <= 2_048
    assert captured_headers({b"user-agent": b"a\0b"}).user_agent == "a\N{REPLACEMENT CHARACTER}b"


def test_the_drain_sends_in_order_and_some_bytes_at_a_time() -> None:
    entries = [Entry(b"%d-0" % n, {b"body": b"x" * 300_000}) for n in range(8)]
    entries.insert(4, Entry(b"big", {b"body": b"x" * 3_000_000}))
    parts = list(slices(entries))
    assert [entry for part in parts for entry in part] == entries
    assert all(len(part) == 1 or sum(e.size for e in part) <= SLICE_BYTES for part in parts)
