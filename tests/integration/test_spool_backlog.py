"""Everything is started anew on a large backlog: it accepts at once, and memory stays bounded."""

from infrastructure.local.product import Product
from tests.backlog_world import Backlog

EVENTS = 25_000
MOST_MB = {"edge": 300, "drain": 150, "writer": 600}


def test_a_restart_on_a_large_backlog_accepts_as_soon_as_on_an_empty_spool(
    millrace: Product,
) -> None:
    backlog = Backlog(millrace, EVENTS, noise=900)
    millrace.services["edge"].stop()
    empty_s = backlog.seconds_until_accepting()
    backlog.put()
    # The quickest of some tries says how long it takes, whatever else held one of them up.
    tries = []
    for _ in range(2):
        tries.append(backlog.seconds_until_accepting())
        millrace.services["edge"].stop()
    found = backlog.restart()
    assert min(*tries, found.accepting_s) < 2 * empty_s + 1
    assert backlog.stored() == EVENTS + backlog.accepted
    assert found.edge_mb < MOST_MB["edge"]
    assert found.drain_mb < MOST_MB["drain"]
    assert found.writer_mb < MOST_MB["writer"]
