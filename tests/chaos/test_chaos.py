"""A short run of `./run chaos`; longer ones find more."""

from pathlib import Path

from api.query.vocabulary import DIMENSIONS
from tests.chaos.run import run_chaos

SEED = 1
SECONDS = 20.0


def test_random_faults_leave_no_trace(scratch: Path) -> None:
    said: list[str] = []
    verdict = run_chaos(SEED, SECONDS, scratch, said.append)
    assert verdict.is_clean, (verdict, said)
    assert verdict.questions > len(DIMENSIONS)
