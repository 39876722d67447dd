"""How far behind the rollups are, when a writer takes in as fast as it can: a model of writer and
stage, second by second, with the product's own decisions and machines of all speeds."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from writer.rollups.pace import (
    LEAST_EVENTS,
    MOST_EVENTS,
    give_way_s,
    next_size,
    rest_s,
    size_after_failure,
)

A_READ = 2_000
FAR_S = 5.0
SPELL_S = 90.0


class Model:
    """``read_s``: of one read of the writer's; ``step_s`` and ``event_s``: what a step costs, and
    each event of it. One clock; nobody's pace changes the other's."""

    def __init__(self, read_s: float, step_s: float, event_s: float) -> None:
        self.read_s, self.step_s, self.event_s = read_s, step_s, event_s
        self.commits: deque[float] = deque()
        self.writes_at = read_s
        self.steps_at = 0.0
        self.size = LEAST_EVENTS
        self.taken, self.took = 0, 0.0
        self.furthest_s = 0.0
        self.steps = 0

    def run(self, spell_s: float) -> None:
        while min(self.writes_at, self.steps_at) < spell_s:
            now = min(self.writes_at, self.steps_at)
            if self.commits:
                self.furthest_s = max(self.furthest_s, now - self.commits[0])
            if self.steps_at <= self.writes_at:
                self._step(now)
            else:
                self._write(now)

    def _behind_s(self, now: float) -> float:
        return now - self.commits[0] if self.commits else 0.0

    def _write(self, now: float) -> None:
        self.commits.append(now)
        self.writes_at = now + self.read_s + give_way_s(self._behind_s(now), self.read_s)

    def _step(self, now: float) -> None:
        """A step ends, and the next begins at once or after a rest."""
        if self.taken:
            for _ in range(self.taken):
                self.commits.popleft()
            self.size = next_size(self.size, self.took)
            rest = rest_s(self._behind_s(now), self.took)
            self.taken = 0
            self.steps += 1
            if rest:
                self.steps_at = now + rest
                return
        self.taken = min(len(self.commits), max(1, self.size // A_READ))
        self.took = self.step_s + self.taken * A_READ * self.event_s
        self.steps_at = now + (self.took if self.taken else 0.25)


@given(
    slowness=st.floats(0.25, 5),
    read_us=st.floats(15, 60),
    share=st.floats(0.2, 1),
    step_ms=st.floats(10, 100),
)
def test_the_rollups_are_never_five_seconds_behind_a_writer_at_its_peak_on_any_machine(
    slowness: float, read_us: float, share: float, step_ms: float
) -> None:
    event_us = min(share * read_us, 20)
    model = Model(
        slowness * read_us * A_READ / 1e6, slowness * step_ms / 1e3, slowness * event_us / 1e6
    )
    model.run(SPELL_S)
    assert model.furthest_s < FAR_S
    assert model.steps


def test_a_step_is_as_large_as_the_machine_is_fast() -> None:
    assert next_size(MOST_EVENTS, step_s=2.0) == MOST_EVENTS // 2
    assert next_size(MOST_EVENTS // 2, step_s=9.0) == LEAST_EVENTS
    assert next_size(LEAST_EVENTS, step_s=9.0) == LEAST_EVENTS
    assert next_size(LEAST_EVENTS, step_s=1.0) == LEAST_EVENTS
    assert next_size(LEAST_EVENTS, step_s=0.1) == LEAST_EVENTS * 2
    assert next_size(MOST_EVENTS, step_s=0.1) == MOST_EVENTS


def test_after_a_failure_a_step_may_be_very_small_and_grows_again() -> None:
    size = MOST_EVENTS
    for _ in range(9):
        size = size_after_failure(size)
    assert size == 500
    assert next_size(size, step_s=9.0) == 500
    for _ in range(9):
        size = next_size(size, step_s=0.1)
    assert size == MOST_EVENTS


@pytest.mark.parametrize(
    ("behind_s", "step_s", "rest"), [(0, 0.1, 0.5), (0.1, 0.3, 0.9), (1, 0.7, 0.8), (2, 1, 0)]
)
def test_the_stage_rests_after_a_step_only_while_there_is_time_for_it(
    behind_s: float, step_s: float, rest: float
) -> None:
    assert rest_s(behind_s, step_s) == pytest.approx(rest)


@pytest.mark.parametrize(
    ("behind_s", "rest"), [(0, 0), (2.5, 0), (3, 0.2), (3.5, 0.8), (9, 2), (31, 0)]
)
def test_a_writer_gives_way_the_more_the_further_the_rollups_are_behind_unless_they_stand(
    behind_s: float, rest: float
) -> None:
    assert give_way_s(behind_s, read_s=0.1) == pytest.approx(rest)


def test_a_writer_that_waited_long_for_its_database_does_not_rest_as_long_again() -> None:
    assert give_way_s(4.0, read_s=600.0) == 2.0
