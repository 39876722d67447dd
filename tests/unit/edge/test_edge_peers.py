"""What the edge lets its operator know of where beacons come from: counts, and no address."""

import pytest
from prometheus_client import REGISTRY

from edge.admission.address import Client, read_client
from edge.admission.peers import LOOKS_A_SECOND, Peers

VISITOR = "203.0.113.9"


class Clock:
    """Moves by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def peers(clock: Clock) -> Peers:
    return Peers(clock)


def _seen(what: str) -> float | None:
    return REGISTRY.get_sample_value("millrace_edge_seen_beacons", {"what": what})


def _client(text: str) -> Client:
    return read_client(text) or Client("", 0, True)


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "loopback"),
        ("::1", "loopback"),
        ("", "loopback"),
        ("10.1.2.3", "private"),
        ("172.17.0.1", "private"),
        ("100.64.0.1", "private"),
        ("fd00::1", "private"),
        ("169.254.1.1", "private"),
    ],
)
def test_an_address_of_no_visitor_is_counted_by_its_kind(
    peers: Peers, address: str, kind: str
) -> None:
    peers.look(address, _client(address), {})
    peers.publish()
    assert {what: _seen(what) for what in ("all", "loopback", "private", "told")} == {
        "all": 1.0,
        "loopback": 0.0,
        "private": 0.0,
        "told": 0.0,
        kind: 1.0,
    }


def test_the_commonest_address_is_counted_and_not_named(peers: Peers) -> None:
    for last in (1, 2, 9, 9, 9):
        address = f"93.184.216.{last}"
        peers.look(address, _client(address), {})
    peers.publish()
    assert (_seen("all"), _seen("one_address"), _seen("private")) == (5, 3, 0)


def test_what_a_believed_header_said_is_told_from_what_a_peer_is(peers: Peers) -> None:
    peers.look("10.0.0.1", _client(VISITOR), {b"x-forwarded-for": VISITOR.encode()})
    peers.look("10.0.0.1", _client("10.0.0.1"), {b"x-real-ip": VISITOR.encode()})
    peers.publish()
    assert (_seen("all"), _seen("told")) == (2, 1)
    header = {"header": "x-real-ip"}
    assert REGISTRY.get_sample_value("millrace_edge_seen_headers", header) == 1


def test_so_many_are_looked_at_a_second_and_no_more(peers: Peers) -> None:
    while peers.left:
        peers.look("10.0.0.1", _client("10.0.0.1"), {})
    peers.publish()
    assert (_seen("all"), peers.left) == (LOOKS_A_SECOND, LOOKS_A_SECOND)


def test_what_is_older_than_ten_minutes_is_forgotten(peers: Peers, clock: Clock) -> None:
    peers.look("10.0.0.1", _client("10.0.0.1"), {})
    clock.now += 601
    peers.publish()
    assert (_seen("all"), _seen("one_address"), _seen("private")) == (0, 0, 0)
