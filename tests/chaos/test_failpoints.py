"""Death at every step of a batch's way: nothing lost, nothing twice, nothing made up."""

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from infrastructure.local.product import Product
from infrastructure.local.service import Service
from shared.failpoints import NAMES, VARIABLE
from tests.chaos.account import draw_up
from tests.chaos.background import Background
from tests.chaos.faults import tree
from tests.chaos.load import SPAN_MS, Log
from tests.chaos.run import length, loaded, settle_in, until, until_arrived
from tests.chaos.stand import Stand, with_settings

WITHIN_S = 120.0
WHERE = {
    "received": "edge",
    "spooled": "edge",
    "replied": "edge",
    "drained": "drain",
    "trimmed": "drain",
    "committed": "writer",
    "acked": "writer",
    "summed": "writer",
    "rolled_up": "writer",
}
IN_AN_OUTAGE = {"spooled", "drained", "trimmed"}
OF_THE_STAGE = {"summed", "rolled_up"}


@pytest.fixture
def stand(millrace: Product) -> Stand:
    return Stand(millrace, {})


@pytest.fixture
def background() -> Iterator[Background]:
    with Background() as started:
        yield started


def until_acknowledged(log: Log, more: int) -> None:
    goal = log.total + more
    until(lambda: log.total >= goal, f"{more} further events are acknowledged", WITHIN_S)


def until_dead(armed: Service, failpoint: str) -> None:
    """Until the service has died, or of the edge one of its workers, or the writer's stage."""
    seen: set[int] = set()

    def one_is_gone() -> bool:
        # Its workers begin one after another, and not before other helpers of it.
        now = set(tree(armed.pid))
        gone = seen - now
        seen.update(now)
        return bool(gone)

    if armed.name == "edge" or failpoint in OF_THE_STAGE:
        until(one_is_gone, "the death of one of its processes", WITHIN_S)
    else:
        until(lambda: not armed.running, "its death", WITHIN_S)


def test_every_failpoint_is_tried() -> None:
    assert set(WHERE) == set(NAMES)


@pytest.mark.parametrize("failpoint", NAMES)
def test_a_process_that_dies_there_loses_duplicates_and_invents_nothing(
    stand: Stand, background: Background, failpoint: str
) -> None:
    usual = stand.product.services[WHERE[failpoint]]
    # The drain moves many batches at a time, and may come by only once.
    nth = 1 if usual.name == "drain" else 5
    armed = with_settings(stand.product, {usual.name: {VARIABLE: f"{failpoint}:{nth}"}})
    from_ms = time.time_ns() // 1_000_000 - SPAN_MS - 1_800_000
    with loaded(stand, background, settle_in(stand), 5, from_ms) as log:
        until_acknowledged(log, 20)
        usual.kill()
        if failpoint in IN_AN_OUTAGE:
            stand.primary.kill()
        if usual.name == "drain":
            until(lambda: length(stand.spool) > 10, "the spool fills", WITHIN_S)
            stand.primary.start()
        armed.services[usual.name].start()
        until_dead(armed.services[usual.name], failpoint)
        armed.services[usual.name].kill()
        stand.primary.start()
        usual.start()
        until_acknowledged(log, 20)
    until_arrived(stand)
    account = draw_up(stand.product.postgres_url, log)
    assert account.is_clean, account


def test_a_name_that_is_no_failpoint_is_refused() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", "import shared.failpoints"],
        env={VARIABLE: "nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert "names no failpoint: received, spooled" in ran.stderr
