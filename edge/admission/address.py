"""Whose request it is: the first address, from the right, that is no trusted proxy's."""

import socket
from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, ip_network
from typing import NamedTuple


class Client(NamedTuple):
    """An address: its text, its number, and whether it is IPv4. ``text`` is empty for none."""

    text: str
    number: int
    is_v4: bool

    def prefix(self, v4_bits: int, v6_bits: int) -> int:
        """The network by which it is limited: one number for each, below 0 for IPv6."""
        if self.is_v4:
            return self.number >> (32 - v4_bits)
        return ~(self.number >> (128 - v6_bits))


NOBODY = Client("", 0, True)
MAX_FORWARDED = 4_096
"""Bytes of X-Forwarded-For that are read, from the right."""


class Networks:
    """A set of networks, asked by number. Raises ValueError for one that cannot be read."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._masked: list[tuple[bool, int, int]] = []
        for text in networks:
            network = ip_network(text.strip(), strict=False)
            is_v4 = isinstance(network, IPv4Network)
            self._masked.append((is_v4, int(network.netmask), int(network.network_address)))

    def __contains__(self, client: object) -> bool:
        assert isinstance(client, Client)
        _, number, client_is_v4 = client
        for is_v4, mask, start in self._masked:
            if is_v4 == client_is_v4 and number & mask == start:
                return True
        return False

    def __bool__(self) -> bool:
        return bool(self._masked)


@lru_cache(maxsize=4_096)
def read_peer(text: str) -> Client:
    """The address at the other end of a connection: proxies and busy clients come again."""
    return read_client(text) or NOBODY


def read_client(text: str) -> Client | None:
    """The address in canonical text; IPv4 within IPv6 is IPv4. None when it is no address."""
    try:
        if ":" not in text:
            return Client(text, int.from_bytes(socket.inet_pton(socket.AF_INET, text)), True)
        raw = socket.inet_pton(socket.AF_INET6, text)
    except (OSError, ValueError):
        return None
    if raw.startswith(b"\0" * 10 + b"\xff\xff"):
        inner = raw[12:]
        return Client(socket.inet_ntop(socket.AF_INET, inner), int.from_bytes(inner), True)
    return Client(socket.inet_ntop(socket.AF_INET6, raw), int.from_bytes(raw), False)


def forwarded_in(headers: Sequence[tuple[bytes, bytes]]) -> str:
    """What the headers named X-Forwarded-For (in lower case) say together."""
    forwarded = b",".join([value for name, value in headers if name == b"x-forwarded-for"])
    return forwarded[-MAX_FORWARDED:].decode("latin-1")


class Hop(NamedTuple):
    """One entry of X-Forwarded-For that a trusted peer wrote; ``client`` is None where it is no
    address, which ends the reading."""

    text: str
    client: Client | None


def find_client(
    peer: str, forwarded: str, trusted: Networks, told: list[Hop] | None = None
) -> Client:
    """Read X-Forwarded-For from the right for as long as the hop that wrote it is trusted.
    ``told`` receives what was read, for whoever wants to know why."""
    client = read_peer(peer)
    if not forwarded or not trusted:
        return client
    hops = forwarded.split(",")
    while hops and client in trusted:
        hop = hops.pop().strip()
        before = read_client(hop) or read_client(_without_port(hop))
        if told is not None:
            told.append(Hop(hop, before))
        if before is None:
            break
        client = before
    return client


def _without_port(hop: str) -> str:
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
