"""An edge on a small spool, in an outage: what it acknowledged is looked for by its numbers."""

import os
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from infrastructure.local.redis_server import RedisServer
from shared import receipt
from shared.snapshot import SiteRules
from tests.edge_processes import EdgeProcesses, Reply, wait_for
from tests.edge_under_test import signed, snapshot, stored_batches

Start = Callable[..., RedisServer]
NOISY, QUIET = "noisy.example", "quiet.example"
RECOVERS_WITHIN_S = 15.0
"""Two or three on a quiet machine."""
_ANY = 1_000_000
_AT_ONCE = {"MILLRACE_DRAIN_BYTES_PER_S": "100000000"}


def large_array(site: str) -> list[dict[str, Any]]:
    """Some 90 kB once sealed."""
    url = f"https://{site}/"
    noise = [os.urandom(900).hex() for _ in range(100)]
    return [{"site": site, "url": url, "props": {"noise": text}} for text in noise]


class SpoolWorld:
    """``acknowledged``: (boot, seq) of every 202."""

    def __init__(self, primary: RedisServer, spool: RedisServer, edge: EdgeProcesses) -> None:
        self.primary = primary
        self.spool = spool
        self.edge = edge
        self.acknowledged: set[tuple[int, int]] = set()

    def give_snapshot(self) -> None:
        """The edge knows both sites, and has said so in the spool."""
        made = snapshot(
            sites=tuple(SiteRules(name, events_per_s=_ANY) for name in (NOISY, QUIET)),
            per_address_events_per_s=_ANY,
            total_events_per_s=_ANY,
        )
        with self.primary.client() as client:
            client.set("snapshot", signed(made))
        with self.spool.client() as client:
            wait_for(lambda: client.exists("snapshot"))

    def post(self, site: str) -> Reply:
        answer = self.edge.post(large_array(site))
        if answer.status == 202:
            place = receipt.place(UUID(answer.receipt))
            assert place is not None
            self.acknowledged.add((place.boot, place.seq))
        return answer

    def post_until_refused(self, site: str) -> Reply:
        """The 503."""
        while (answer := self.post(site)).status == 202:
            pass
        assert answer.status == 503, answer
        assert answer.json["error"]["code"] == "unavailable"
        assert answer.retry_after_s is not None
        return answer

    def seconds_until_taken(self, site: str) -> float:
        began = time.monotonic()
        wait_for(lambda: self.post(site).status == 202)
        return time.monotonic() - began

    def waiting(self) -> int:
        with self.spool.client() as client:
            return int(client.xlen("ingest:test"))

    def spooled_bytes(self) -> int:
        with self.spool.client() as client:
            entries: Any = client.xrange("ingest:test")
        return sum(len(value) for _, fields in entries for value in fields.values())

    def voids(self) -> set[int]:
        """Numbers that the batches at the primary name as given up."""
        return {seq for made in stored_batches(self.primary.url) for seq in made.header.void}

    def drain_all(self) -> None:
        """The primary comes back and gets everything that was ever acknowledged."""
        self.primary.start()
        self.edge.start_drain(_AT_ONCE)
        wait_for(lambda: self.waiting() == 0)
        found = stored_batches(self.primary.url)
        numbers = {(sealed.header.boot, sealed.header.seq) for sealed in found}
        assert self.acknowledged <= numbers
