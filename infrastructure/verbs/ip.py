"""`millrace ip explain`: whose beacon the edge takes a request for, and why."""

import json
import os
from ipaddress import ip_network
from typing import NamedTuple

import click

from edge.admission.address import Client, Hop, Networks, find_client, forwarded_in, read_client
from edge.admission.peers import FORWARDING, kind_of
from infrastructure.local.running import use_running
from infrastructure.plain_text import plain
from infrastructure.problem import Problem
from shared.settings import read_setting, variable

_SETTING = variable("edge_trusted_proxies")
_READ, *_NEVER_READ = (name.decode() for name in FORWARDING)
_DOCUMENTATION = Networks(("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"))
"""What examples are written with stands for an address of the Internet."""


class Explained(NamedTuple):
    """``client``: whose address it is; ``because``: sentences, in the order of the reading."""

    client: str
    because: list[str]
    trusted: tuple[str, ...]


@click.group()
def command() -> None:
    """Which address is believed, and why."""


@command.command()
@click.option("--peer", required=True, help="The address at the other end of the connection.")
@click.option("--header", "headers", multiple=True, help='Such as "X-Forwarded-For: 192.0.2.1".')
@click.option("--trusted", help=f"Networks, parted by commas, in place of {_SETTING}.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def explain(peer: str, headers: tuple[str, ...], trusted: str | None, as_json: bool) -> None:
    """Read a request's address as the edge does, and say why step by step."""
    if read_client(peer) is None:
        raise Problem(f"--peer {plain(peer)} is no IP address, such as 10.0.0.1 or ::1.")
    networks = _networks(trusted)
    explained = explain_address(peer, [_header(text) for text in headers], networks)
    if as_json:
        click.echo(json.dumps(explained._asdict(), ensure_ascii=False))
        return
    for sentence in explained.because:
        click.echo(plain(sentence))
    click.echo(f"The client is {explained.client}.")


def explain_address(
    peer: str, headers: list[tuple[bytes, bytes]], networks: tuple[str, ...]
) -> Explained:
    """What the edge makes of it. Raises Problem for a network that is none."""
    told: list[Hop] = []
    forwarded = forwarded_in(headers)
    client = find_client(peer, forwarded, _trusted(networks), told)
    because = [
        _about_peer(peer, forwarded, networks),
        *(_about_hop(hop, networks) for hop in told),
        *_about_the_end(told, forwarded, client, networks),
        *_about_others(headers),
        *_about_kind(client, told, networks),
    ]
    return Explained(client.text, because, networks)


def _about_peer(peer: str, forwarded: str, networks: tuple[str, ...]) -> str:
    network = _network_of(_known(peer), networks)
    if network is not None:
        then = (
            "X-Forwarded-For is read from the right" if forwarded else "it sent no X-Forwarded-For"
        )
        return f"The peer {peer} is trusted ({network}): {then}."
    why = f"in no network of {_SETTING}" if networks else f"{_SETTING} is empty"
    then = ": anybody can write X-Forwarded-For, so it is not believed" if forwarded else ""
    return f"The peer {peer} is not trusted ({why}){then}."


def _about_hop(hop: Hop, networks: tuple[str, ...]) -> str:
    if hop.client is None:
        return f'"{hop.text}" is no address: reading ends with the hop that wrote it.'
    network = _network_of(hop.client, networks)
    if network is None:
        return (
            f"{hop.client.text} is not trusted: it is the client, and what stands left of it "
            "is its own claim."
        )
    return f"{hop.client.text} is trusted too ({network}): the entry left of it is read."


def _about_the_end(
    told: list[Hop], forwarded: str, client: Client, networks: tuple[str, ...]
) -> list[str]:
    used_up = len(told) == len(forwarded.split(","))
    if told and used_up and _network_of(client, networks) and told[-1].client is not None:
        return ["Nothing stands left of it: every hop is a proxy, so the last one counts."]
    return []


def _about_others(headers: list[tuple[bytes, bytes]]) -> list[str]:
    names = sorted({name.decode("latin-1") for name, _ in headers} & set(_NEVER_READ))
    return [f"{name} is never read: have the proxy send X-Forwarded-For." for name in names]


def _about_kind(client: Client, told: list[Hop], networks: tuple[str, ...]) -> list[str]:
    kind = kind_of(client.text)
    if not kind or client in _DOCUMENTATION or any(hop.client == client for hop in told):
        # For whom a trusted proxy asks is a client, wherever it stands.
        return []
    known = "" if _network_of(client, networks) else f"add it to {_SETTING}, and "
    return [
        f"{client.text} is a {kind} address: if it is a proxy's, {known}have it "
        "send X-Forwarded-For."
    ]


def _networks(given: str | None) -> tuple[str, ...]:
    text = given
    if text is None:
        use_running()
        text = read_setting("edge_trusted_proxies", os.environ) or ""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _trusted(networks: tuple[str, ...]) -> Networks:
    for network in networks:
        try:
            ip_network(network, strict=False)
        except ValueError as error:
            raise Problem(f"{plain(network)} is no network, such as 10.0.0.0/8.") from error
    return Networks(networks)


def _network_of(client: Client, networks: tuple[str, ...]) -> str | None:
    return next((each for each in networks if client in Networks([each])), None)


def _known(peer: str) -> Client:
    client = read_client(peer)
    assert client is not None
    return client


def _header(text: str) -> tuple[bytes, bytes]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise Problem(f'--header takes "Name: value", not "{plain(text)}".')
    return name.strip().lower().encode(), value.strip().encode("utf-8", "replace")
