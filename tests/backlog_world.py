"""The whole product with a large backlog in its spool, and what starting on that takes."""

import json
import os
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import psycopg

from infrastructure.local.installation import EDGE
from infrastructure.local.product import Product
from infrastructure.local.redis_server import RedisServer
from infrastructure.local.service import Service
from shared.clock import system_clock
from shared.envelope import PROTOCOL, Envelope, Headers
from tests.writer_world import CHROME, SITE, FakeEdge, put_site

ARRAY = 100
A_BATCH = 5 * ARRAY
_STREAM = f"ingest:{EDGE}"
_LOOK_EVERY_S = 0.02
_AT_A_TIME = 50
_MIB = 1024


class Restart(NamedTuple):
    """``*_mb``: the most memory it ever had resident since it started."""

    accepting_s: float
    draining_s: float
    storing_s: float
    edge_mb: float
    drain_mb: float
    writer_mb: float


class Backlog:
    """``events`` of them, in batches of 500, as an edge that has ended left them in its spool;
    each with so many characters that do not compress."""

    def __init__(self, product: Product, events: int, noise: int = 0) -> None:
        assert isinstance(product.stack.spool, RedisServer)
        assert isinstance(product.stack.primary, RedisServer)
        self.product = product
        self.spool = product.stack.spool
        self.primary = product.stack.primary
        self.events = events
        self.noise = noise
        self.accepted = 0
        put_site(product.postgres_url, SITE)
        # From now on the edge knows the site, and what it has accepted is counted.
        self._until(self._is_accepting, time.monotonic())

    def put(self) -> None:
        """Everything is down but the database; then the spool loads what it holds."""
        for name in ("edge", "drain", "writer"):
            self.product.services[name].stop()
        self.primary.kill()
        with self.spool.client() as client:
            client.config_set("appendfsync", "no")
            entries = self._entries()
            while some := list(islice(entries, _AT_A_TIME)):
                with client.pipeline(transaction=False) as pipe:
                    for fields in some:
                        pipe.xadd(_STREAM, fields)
                    pipe.execute()
            client.config_set("appendfsync", "always")
        self.spool.stop()
        self.spool.start()

    def restart(self) -> Restart:
        """All of it, in the order of an operator who mends the primary last."""
        services = self.product.services
        accepting_s = self.seconds_until_accepting()
        began = time.monotonic()
        self.primary.start()
        for name in ("drain", "writer"):
            services[name].start()
        draining_s = self._until(lambda: self._waiting(self.spool) == 0, began)
        storing_s = self._until(lambda: self._waiting(self.primary) == 0, began)
        peaks = [peak_mb(services[name]) for name in ("edge", "drain", "writer")]
        return Restart(accepting_s, draining_s, storing_s, *peaks)

    def seconds_until_accepting(self) -> float:
        """From the start of the edge to its first 202."""
        began = time.monotonic()
        self.product.services["edge"].start()
        return self._until(self._is_accepting, began)

    def stored(self) -> int:
        """Events in the table."""
        with psycopg.connect(self.product.postgres_url) as connection:
            found = connection.execute("select count(*) from events").fetchone()
        assert found is not None
        return int(found[0])

    def _is_accepting(self) -> bool:
        beacon = {"site": SITE, "url": f"https://{SITE}/"}
        try:
            answer = httpx.post(
                f"{self.product.edge_url}/track",
                json=beacon,
                headers={"user-agent": CHROME},
                trust_env=False,
                timeout=60,
            )
        except httpx.TransportError:
            return False
        self.accepted += answer.status_code == 202
        return answer.status_code == 202

    def _waiting(self, server: RedisServer) -> int:
        with server.client() as client:
            return int(client.xlen(_STREAM))

    @staticmethod
    def _until(is_so: Any, began: float) -> float:
        deadline = began + 600
        while not is_so():
            assert time.monotonic() < deadline
            time.sleep(_LOOK_EVERY_S)
        return time.monotonic() - began

    def _entries(self) -> Iterator[dict[Any, Any]]:
        seal_key = self.product.settings["MILLRACE_SEAL_KEYS_FILE"]
        edge = FakeEdge(EDGE, seal_key=Path(seal_key).read_text().strip())
        for number in range(self.events // A_BATCH):
            at = system_clock() + number
            envelopes = [_envelope(at, first, self.noise) for first in range(0, A_BATCH, ARRAY)]
            yield dict(edge.entry(envelopes, A_BATCH).fields)


def _envelope(received_at: int, first: int, noise: int) -> Envelope:
    events = [
        {
            "site": SITE,
            "url": f"https://{SITE}/page-{n}",
            "id": str(uuid4()),
            "title": f"Page {n}",
            "props": {"noise": os.urandom(noise // 2).hex()},
        }
        for n in range(ARRAY)
    ]
    body, headers = json.dumps(events).encode(), Headers(user_agent=CHROME)
    address = f"192.0.2.{received_at % 250}"
    taken = list(range(ARRAY))
    return Envelope(received_at, PROTOCOL, SITE, address, None, False, headers, first, taken, body)


def peak_mb(service: Service) -> float:
    """Of the process and those it has started, each at its worst."""
    return sum(_peak_kb(pid) for pid in (service.pid, *_children(service.pid))) / _MIB


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [child for each in found for child in (int(each), *_children(int(each)))]


def _peak_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
