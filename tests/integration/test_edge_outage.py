"""The edge through an outage of its primary, on real servers: nothing acknowledged is lost."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from redis import Redis

from infrastructure.local.redis_server import RedisServer
from shared import receipt
from shared.heartbeat import BootBeat, redis_key
from tests.edge_processes import EdgeProcesses, edge_processes, wait_for
from tests.edge_under_test import BEACON, signed, snapshot, stored_batches

Start = Callable[..., RedisServer]
NOTICES_A_HANG = {"edge_ping_timeout_s": "2", "spool_timeout_s": "60"}
"""By an unanswered PING, long before a write would be given up: the first is late enough for a test
to send a beacon before it, and for a disk to stall."""


class Site:
    """An edge with a primary and a spool of its own."""

    def __init__(self, primary: RedisServer, spool: RedisServer, edge: EdgeProcesses) -> None:
        self.primary = primary
        self.spool = spool
        self.edge = edge

    def waiting(self) -> int:
        with self.spool.client() as client:
            return int(client.xlen("ingest:test"))

    def at_primary(self) -> set[tuple[int, int]]:
        """(boot, seq) of what the writer would find."""
        batches = stored_batches(self.primary.url)
        return {(sealed.header.boot, sealed.header.seq) for sealed in batches}

    def beats(self) -> dict[str, BootBeat]:
        with self.primary.client() as client:
            raw: Any = client.hgetall(redis_key("test"))
        return {
            field.decode(): msgspec.msgpack.decode(value, type=BootBeat)
            for field, value in raw.items()
            if field != b"drain"
        }

    def post_until(self, place: str) -> list[str]:
        """Receipts of beacons sent until the edge stores there."""
        receipts = []

        def stores_there() -> bool:
            receipts.append(self.edge.post().receipt)
            return bool(self.edge.readiness()["stores_at"] == place)

        wait_for(stores_there)
        return receipts


@contextmanager
def running(redis_server: Start, state: Path, **settings: str) -> Iterator[Site]:
    primary, spool = redis_server(), redis_server()
    with edge_processes(primary.url, spool.url, state, **settings) as edge:
        edge.start_edge()
        yield Site(primary, spool, edge)
        # A paused server would hold its own end up.
        primary.resume()


@pytest.fixture
def site(redis_server: Start, tmp_path: Path) -> Iterator[Site]:
    with running(redis_server, tmp_path / "state") as made:
        yield made


@pytest.fixture
def hanging(redis_server: Start, tmp_path: Path) -> Iterator[Site]:
    """For a primary that is paused."""
    with running(redis_server, tmp_path / "state", **NOTICES_A_HANG) as made:
        yield made


def places(receipts: list[str]) -> set[tuple[int, int]]:
    found = [receipt.place(UUID(text)) for text in receipts]
    return {(place.boot, place.seq) for place in found if place is not None}


def test_a_refused_primary_sends_beacons_to_the_spool_at_once(site: Site) -> None:
    before = site.edge.post()
    site.primary.kill()
    answer = site.edge.post()
    assert (before.status, answer.status) == (202, 202)
    assert site.waiting() == 1
    assert site.edge.readiness()["stores_at"] == "spool"


def test_a_hung_primary_is_left_and_the_batch_in_flight_is_acknowledged(hanging: Site) -> None:
    site = hanging
    site.edge.post()
    site.primary.pause()
    first, second = site.edge.post(), site.edge.post()
    assert (first.status, second.status) == (202, 202)
    # Not a measurement: the write itself would have waited for a minute.
    assert first.took_ms < 30_000
    assert site.waiting() == 2


def test_an_ambiguous_batch_lands_twice_under_one_number(hanging: Site) -> None:
    site = hanging
    site.edge.start_drain()
    site.edge.post()
    site.primary.pause()
    answer = site.edge.post()
    site.primary.resume()
    wait_for(lambda: site.waiting() == 0 and site.edge.drain_readiness()["primary_healthy"])
    batches = stored_batches(site.primary.url)
    boot, seq = next(iter(places([answer.receipt])))
    copies = [b for b in batches if (b.header.boot, b.header.seq) == (boot, seq)]
    assert len(copies) == 2
    assert copies[0] == copies[1]


def test_the_drain_empties_the_spool_and_only_then_beacons_go_to_the_primary(site: Site) -> None:
    site.edge.start_drain()
    wait_for(lambda: site.edge.drain_readiness()["ready"])
    site.primary.kill()
    receipts = [site.edge.post().receipt for _ in range(20)]
    site.primary.start()
    receipts += site.post_until("primary")
    wait_for(lambda: site.waiting() == 0)
    assert places(receipts) <= site.at_primary()


def test_without_a_drain_the_breaker_stays_open(site: Site) -> None:
    site.primary.kill()
    site.edge.post()
    site.primary.start()
    for _ in range(20):
        assert site.edge.post().status == 202
    assert site.waiting() == 21
    assert site.at_primary() == set()


def test_a_drain_killed_midway_loses_nothing(site: Site) -> None:
    site.primary.kill()
    receipts = [site.edge.post({**BEACON, "title": str(n)}).receipt for n in range(300)]
    site.primary.start()
    slow = {"MILLRACE_DRAIN_BATCHES": "5", "MILLRACE_DRAIN_BYTES_PER_S": "6000"}
    first = site.edge.start_drain(slow)
    wait_for(lambda: len(site.at_primary()) > 10)
    first.kill()
    first.wait()
    assert site.waiting() > 0
    site.edge.start_drain()
    wait_for(lambda: site.waiting() == 0)
    assert places(receipts) <= site.at_primary()


def test_a_primary_that_answers_with_errors_is_left_too(site: Site) -> None:
    with site.primary.client() as client:
        client.config_set("maxmemory", 1)
        answer = site.edge.post()
        assert (answer.status, site.waiting()) == (202, 1)
        site.edge.start_drain()
        assert site.edge.post().status == 202
        client.config_set("maxmemory", 0)
    site.post_until("primary")
    wait_for(lambda: site.waiting() == 0)
    with site.primary.client() as client:
        assert client.exists("ingest:test")


def test_with_nowhere_to_store_a_beacon_is_a_503_and_its_number_is_void(site: Site) -> None:
    site.edge.start_drain()
    site.edge.post()
    site.primary.kill()
    site.spool.kill()
    assert site.edge.post().status == 503
    wait_for(lambda: site.edge.readiness()["stores_at"] == "nowhere")
    site.primary.start()
    site.spool.start()
    wait_for(lambda: site.edge.readiness()["stores_at"] == "primary")
    answer = site.edge.post()
    assert answer.status == 202
    (header,) = [
        sealed.header
        for sealed in stored_batches(site.primary.url)
        if (sealed.header.boot, sealed.header.seq) in places([answer.receipt])
    ]
    assert header.void
    assert header.seq == max(header.void) + 1


def test_a_full_spool_refuses_keeps_what_it_has_and_recovers_by_itself(
    redis_server: Start, tmp_path: Path
) -> None:
    primary, spool = redis_server(), redis_server(max_bytes=6_000_000)
    with edge_processes(primary.url, spool.url, tmp_path / "state") as edge:
        edge.start_edge()
        site = Site(primary, spool, edge)
        primary.kill()
        stored, answer = [], edge.post(_large_array())
        while answer.status == 202:
            stored.append(answer.receipt)
            answer = edge.post(_large_array())
        assert answer.status == 503
        assert len(places(stored)) == site.waiting() > 0
        primary.start()
        edge.start_drain()
        wait_for(lambda: site.waiting() == 0)
        assert wait_for(lambda: edge.post().status == 202)
        assert places(stored) <= site.at_primary()


def _large_array() -> list[dict[str, Any]]:
    noise = [os.urandom(900).hex() for _ in range(100)]
    return [{**BEACON, "props": {"noise": text}} for text in noise]


def test_a_snapshot_survives_a_restart_in_an_outage(site: Site) -> None:
    with site.primary.client() as client:
        client.set("snapshot", signed(snapshot()))
    stranger = {**BEACON, "site": "stranger.example"}
    wait_for(lambda: site.edge.post(stranger).status == 400)
    with site.spool.client() as client:
        wait_for(lambda: client.exists("snapshot"))
    site.edge.stop()
    site.primary.kill()
    site.edge.start_edge()
    assert site.edge.post(stranger).json["error"]["code"] == "unknown_site"
    assert site.edge.post().status == 202


def test_a_snapshot_is_found_in_a_spool_that_answers_only_after_the_start(site: Site) -> None:
    with site.spool.client() as client:
        client.set("snapshot", signed(snapshot()))
    site.edge.stop()
    site.primary.kill()
    site.spool.kill()
    site.edge.start_edge()
    stranger = {**BEACON, "site": "stranger.example"}
    assert site.edge.post(stranger).status == 503
    site.spool.start()
    wait_for(lambda: site.edge.post(stranger).status == 400)
    wait_for(lambda: site.edge.post().status == 202)


def test_a_forged_or_older_snapshot_is_not_taken(site: Site) -> None:
    newest = signed(snapshot(5))
    with site.primary.client() as client, site.spool.client() as spool:
        client.set("snapshot", newest)
        stranger = {**BEACON, "site": "stranger.example"}
        wait_for(lambda: site.edge.post(stranger).status == 400)
        wait_for(lambda: spool.get("snapshot") == newest)
        for other in (signed(snapshot(4, sites=())), _forged(signed(snapshot(6)))):
            client.set("snapshot", other)
            _wait_until_looked_at(client)
            assert spool.get("snapshot") == newest
    assert site.edge.post().status == 202


def _wait_until_looked_at(primary: Redis) -> None:
    """Snapshots are all that is read with GET: when the second look begins, the first is over."""

    def looks() -> int:
        stats: Any = primary.info("commandstats")
        return int(stats["cmdstat_get"]["calls"])

    before = looks()
    wait_for(lambda: looks() >= before + 2)


def _forged(message: bytes) -> bytes:
    """The last byte of a signature is 0 now and then: flipped, it is always another."""
    return message[:-1] + bytes([message[-1] ^ 1])


def test_a_killed_worker_is_replaced_and_its_boot_closed_by_the_drain(site: Site) -> None:
    site.edge.start_drain()
    acknowledged = site.edge.post().receipt
    (boot, seq) = next(iter(places([acknowledged])))
    (pid,) = site.edge.worker_pids()
    os.kill(pid, signal.SIGKILL)
    ended = wait_for(lambda: (beat := site.beats().get(f"{boot:012x}")) and beat.ended and beat)
    assert (ended.last_acked, ended.low, ended.void) == (seq, seq + 1, ((seq + 1, seq + 1),))
    wait_for(lambda: site.edge.worker_pids() not in ([], [pid]))
    assert site.edge.post().status == 202


def test_a_heartbeat_holds_low_below_the_spool_and_lets_go_after_the_drain(hanging: Site) -> None:
    site = hanging
    site.edge.start_drain()
    site.edge.post()
    wait_for(lambda: any(beat.low == 1 for beat in site.beats().values()))
    site.primary.pause()
    site.edge.post()
    site.edge.post()
    site.primary.resume()
    wait_for(lambda: site.waiting() == 0)
    wait_for(lambda: any(beat.low == 3 for beat in site.beats().values()))
    (beat,) = site.beats().values()
    assert beat.counts == {"shop.example": {"received": 3}}
    assert beat.low_time <= beat.at


def test_sigterm_answers_what_is_in_flight_and_ends_its_boot(site: Site) -> None:
    answer = site.edge.post()
    site.edge.stop()
    (beat,) = site.beats().values()
    assert (beat.ended, beat.low) == (True, 1)
    assert places([answer.receipt]) <= site.at_primary()
    assert list(site.edge.state.glob("*.boot")) == []
