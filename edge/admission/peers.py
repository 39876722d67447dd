"""From where beacons seem to come: a proxy that is not trusted hides everybody behind itself.

A look at some of them is enough. Only counts leave this memory, and no address does.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import NamedTuple

from edge.admission.address import Client, read_peer
from shared.metrics import EDGE_SEEN_BEACONS, EDGE_SEEN_HEADERS

LOOKS_A_SECOND = 32
"""Of a worker. Where few beacons come each is looked at, and where many come hardly one."""
_KEPT = 256
_KEPT_S = 600.0
FORWARDING = (
    b"x-forwarded-for",
    b"forwarded",
    b"x-real-ip",
    b"cf-connecting-ip",
    b"true-client-ip",
)
"""Headers in which proxies tell for whom they ask; the first is the one that the edge reads."""

ALL, TOLD, LOOPBACK, PRIVATE, ONE = "all", "told", "loopback", "private", "one_address"


class Look(NamedTuple):
    """One beacon: whose it was taken to be, of which kind that is, whether a header said so, and
    which it had."""

    at_s: float
    client: str
    kind: str
    is_told: bool
    headers: tuple[bytes, ...]


class Peers:
    """The last few hundred looks, ten minutes old at most. The hot path asks ``left`` alone."""

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self._looks: deque[Look] = deque(maxlen=_KEPT)
        self.left = LOOKS_A_SECOND

    def look(self, peer: str, client: Client, headers: Mapping[bytes, bytes]) -> None:
        """Remember one; to be called while ``left`` is not 0."""
        self.left -= 1
        found = tuple(name for name in FORWARDING if name in headers)
        is_told = client != read_peer(peer)
        self._looks.append(
            Look(self._monotonic_s(), client.text, kind_of(client.text), is_told, found)
        )

    def publish(self) -> None:
        """Once a second: bring the metrics up to date, and look again."""
        self.left = LOOKS_A_SECOND
        while self._looks and self._looks[0].at_s < self._monotonic_s() - _KEPT_S:
            self._looks.popleft()
        clients = Counter(look.client for look in self._looks)
        counts = Counter({ALL: len(self._looks), ONE: max(clients.values(), default=0)})
        counts[TOLD] = sum(look.is_told for look in self._looks)
        counts.update(look.kind for look in self._looks)
        for what in (ALL, TOLD, LOOPBACK, PRIVATE, ONE):
            EDGE_SEEN_BEACONS.labels(what=what).set(counts[what])
        for name in FORWARDING:
            having = sum(name in look.headers for look in self._looks)
            EDGE_SEEN_HEADERS.labels(header=name.decode()).set(having)


def kind_of(client: str) -> str:
    """Loopback, private, or else "". A Unix socket, which has no address, is this machine too."""
    if not client:
        return LOOPBACK
    address = ip_address(client)
    if address.is_loopback:
        return LOOPBACK
    return "" if address.is_global else PRIVATE
