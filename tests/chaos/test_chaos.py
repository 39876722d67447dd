"""A short run of `./run chaos`; longer ones find more."""

import re
import subprocess
import sys

from api.query.vocabulary import DIMENSIONS
from infrastructure.local.folders import CHECKOUT

SEED = 20
MINUTES = 0.35
WITHIN_S = 600.0


def test_random_faults_leave_no_trace() -> None:
    # A process of its own: what it mounts is nobody else's.
    ran = subprocess.run(
        [sys.executable, "-m", "tests.chaos", "--minutes", str(MINUTES), "--seed", str(SEED)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN_S,
    )
    assert ran.returncode == 0, ran.stderr
    assert re.fullmatch(r"lost 0 duplicated 0 invented 0 of \d+ acknowledged\n", ran.stdout)
    asked = re.search(r"^(\d+) queries, answered differently: 0$", ran.stderr, re.MULTILINE)
    assert asked
    assert int(asked[1]) > len(DIMENSIONS)
