"""Both clocks set at will, answers as slow as you like: what holds of received_at all the same."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from edge.clock.capture import DRIFT_US_PER_S, CaptureClock
from shared.clock import US_PER_HOUR, US_PER_SECOND

_times = st.integers(0, 2 * US_PER_SECOND)
_steps = st.one_of(
    st.integers(-2 * US_PER_HOUR, 2 * US_PER_HOUR), st.integers(-2_000_000, 2_000_000)
)


@dataclass
class _Pass:
    """Time passes, and the primary's clock drifts by so many in a million."""

    us: int
    drift: int


@dataclass
class _Measure:
    to_us: int
    back_us: int


@dataclass
class _SetHost:
    us: int


@dataclass
class _SetPrimary:
    us: int


_passes = st.builds(_Pass, _times, st.integers(-DRIFT_US_PER_S, DRIFT_US_PER_S))
_measures = st.builds(_Measure, _times, _times)
_host_sets = st.builds(_SetHost, _steps)
_primary_sets = st.builds(_SetPrimary, _steps)


@dataclass
class _World:
    """What is true, and the clock that has to find it out."""

    steady_us: int = 10**12
    wall_us: int = 10**15
    primary_us: int = 10**15
    captured: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = CaptureClock(lambda: self.wall_us, lambda: self.steady_us)

    def do(self, step: object) -> None:
        match step:
            case _Pass(us, drift):
                self._pass(us, us * drift // US_PER_SECOND)
            case _SetHost(us):
                self.wall_us += us
            case _SetPrimary(us):
                self.primary_us += us
            case _Measure():
                self._measure(step)
        self.captured.append(self.clock.now())

    def _pass(self, us: int, drifted: int = 0) -> None:
        self.steady_us += us
        self.wall_us += us
        self.primary_us += us + drifted

    def _measure(self, step: _Measure) -> None:
        asked_at = self.steady_us
        self._pass(step.to_us)
        told = self.primary_us
        self._pass(step.back_us)
        self.clock.correct(told, asked_at, self.steady_us)

    @property
    def apart_us(self) -> int:
        """How far the clock is from the truth, where it does not stand still."""
        return abs(self.wall_us + self.clock.offset_us - self.primary_us)


@given(st.lists(st.one_of(_passes, _measures, _host_sets, _primary_sets), max_size=40))
def test_received_at_never_runs_back_and_is_right_within_a_round_trip_once_measured(
    steps: list[object],
) -> None:
    world = _World()
    for step in steps:
        world.do(step)
        if isinstance(step, _Measure):
            assert world.apart_us <= step.to_us + step.back_us + 1
            assert max(world.captured[-1] - world.primary_us, 0) <= world.clock.ahead_us + (
                step.to_us + step.back_us + 1
            )
    assert world.captured == sorted(world.captured)


@given(st.lists(st.one_of(_passes, _measures, _host_sets), max_size=40), _steps)
def test_the_error_told_bounds_the_error_made_while_nobody_sets_the_primarys_clock(
    steps: list[object], first_apart_us: int
) -> None:
    world = _World()
    world.do(_SetPrimary(first_apart_us))
    for step in steps:
        world.do(step)
        error_us = world.clock.error_us
        # A clock that drifts for part of a microsecond is rounded here and there.
        assert error_us is None or world.apart_us <= error_us + len(steps)


@given(_measures, _measures, _steps)
def test_a_step_greater_than_both_answers_leave_open_is_noticed_at_its_size(
    first: _Measure, second: _Measure, step_us: int
) -> None:
    world = _World()
    world.do(first)
    open_us = first.to_us + first.back_us + second.to_us + second.back_us + 2_000
    world.do(_SetPrimary(step_us + (open_us if step_us >= 0 else -open_us)))
    world.do(second)
    error_us = world.clock.error_us
    assert error_us is not None
    assert world.apart_us <= error_us
