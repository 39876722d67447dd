"""Promise 3: a write whose reply is lost has landed all the same, and that makes no duplicate."""

from tests.benchmarks.ambiguous import swallow
from tests.benchmarks.context import benchmark_context

REPLIES = 20
GIVES_UP_S = 2.0
"""Late enough for a spool's disk to stall: what it is given up for may be stored all the same."""


def test_batches_whose_reply_is_lost_are_stored_once_and_none_is_missing() -> None:
    with benchmark_context() as context:
        figures = {each.name: each for each in swallow(context, REPLIES, 4.0, GIVES_UP_S)}
    assert {name: each.median for name, each in figures.items()} == {
        "ambiguous_forced": REPLIES,
        "ambiguous_duplicates": 0,
        "ambiguous_lost": 0,
        "ambiguous_invented": 0,
    }
    # The repetition did come: else nothing was shown.
    known = figures["ambiguous_duplicates"].detail["batches_known_by_the_ledger"]
    assert known >= REPLIES
