"""Failures are counted in a window and forgotten in time."""

from api.attempts import MAX_NAMES, Attempts
from shared.clock import US_PER_SECOND


class _Clock:
    now_s = 1_000.0

    def __call__(self) -> int:
        return int(self.now_s * US_PER_SECOND)


def test_a_name_waits_until_its_oldest_failure_is_out_of_the_window() -> None:
    clock = _Clock()
    attempts = Attempts(2, 60, clock)
    attempts.count_try("a")
    clock.now_s += 10
    attempts.count_try("a")
    assert attempts.wait_s("a") == 50
    assert attempts.wait_s("b") == 0
    clock.now_s += 50
    assert attempts.wait_s("a") == 0


def test_success_forgets_the_failures() -> None:
    attempts = Attempts(1, 60, _Clock())
    attempts.count_try("a")
    attempts.forget("a")
    assert attempts.wait_s("a") == 0


def test_a_try_that_succeeded_counts_no_more() -> None:
    attempts = Attempts(2, 60, _Clock())
    attempts.count_try("a")
    attempts.count_try("a")
    attempts.take_back("a")
    assert attempts.wait_s("a") == 0


def test_memory_is_bounded_however_many_names_come() -> None:
    attempts = Attempts(1, 60, _Clock())
    for name in range(MAX_NAMES + 1):
        attempts.count_try(str(name))
    assert attempts.wait_s("0") == 0
    assert attempts.wait_s(str(MAX_NAMES)) > 0
