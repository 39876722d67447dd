"""Addresses that a site excludes; the edge does the same once it knows of them."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from writer.draft import Draft, Dropped

REASON = "excluded"


def drop_excluded(drafts: Sequence[Draft]) -> None:
    """Drop an event from a network that the site excludes."""
    for draft in drafts:
        networks = draft.settings.excluded
        if networks and draft.ip and _is_within(draft.ip, networks):
            draft.dropped = Dropped(REASON)


def _is_within(ip: str, networks: tuple[str, ...]) -> bool:
    address = ip_address(ip)
    return any(
        address.version == network.version and address in network for network in _parsed(networks)
    )


@lru_cache(1_000)
def _parsed(networks: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(network, strict=False) for network in networks)
