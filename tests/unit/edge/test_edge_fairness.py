"""Who gets how much when one asks for a hundred times its share; time is moved by hand."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.admission.address import Client, Networks, find_client
from edge.admission.fair_total import MOST_PARTIES, FairTotal, fair_part
from edge.admission.guard import Guard
from edge.admission.keys import Bearer
from edge.admission.rules import Rules
from edge.http.body import BodyMemory
from edge.http.peek import site_named_in
from shared.errors import Code, Refusal
from shared.keys import api_key_digest
from shared.snapshot import SiteRules
from tests.edge_under_test import (
    BEACON,
    SITE,
    EdgeUnderTest,
    edge_settings,
    key_rules,
    running_edge,
    snapshot,
)

BODY = json.dumps(BEACON).encode()
LONG = 20
"""Simulated seconds; the first three hold every burst."""


class _World:
    """One guard, and what it let through of each sender in the second half of the time."""

    def __init__(self, guard_settings: Path, **limits: int) -> None:
        self.now = 1_000.0
        settings = edge_settings("redis://x", "redis://x", guard_settings)
        self.guard = Guard(settings, lambda: self.now)
        self.limits = limits
        self.passed: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()

    def know(self, *sites: SiteRules) -> None:
        self.guard.use(Rules(snapshot(sites=sites, **self.limits), 1))

    def run(self, senders: dict[str, tuple[float, Callable[[], None]]]) -> None:
        """Each sends so many a second, evenly spread, in steps of 10 ms."""
        due = dict.fromkeys(senders, 0.0)
        for step in range(LONG * 100):
            self.now += 0.01
            for name, (per_s, send) in senders.items():
                due[name] += per_s / 100
                while due[name] >= 1:
                    due[name] -= 1
                    self._send(name, send, counts=step >= LONG * 50)

    def per_s(self, name: str) -> float:
        return self.passed[name] / (LONG / 2)

    def _send(self, name: str, send: Callable[[], None], *, counts: bool) -> None:
        try:
            send()
        except Refusal:
            self.refused[name] += counts
        else:
            self.passed[name] += counts

    def beacon(self, site: str, client: Client, bearer: Bearer | None = None) -> None:
        """As the intake and the collector judge it."""
        guard = self.guard
        prefix = guard.prefix(client)
        guard.check_rate(prefix, bearer)
        if guard.is_refusing:
            guard.check_site_rate(site)
        guard.charge(prefix, bearer, guard.site(site), 1)

    def sender(self, site: str) -> Callable[[], None]:
        return _endless(lambda client: self.beacon(site, client))

    def junk(self, client: Client) -> None:
        prefix = self.guard.prefix(client)
        self.guard.check_rate(prefix, None)
        self.guard.charge_untaken(prefix, None, 300)


def _client(number: int) -> Client:
    return find_client(f"10.{number >> 8 & 255}.{number & 255}.1", "", Networks(()))


def _bearer(secret: str, site: str | None, *, verified: bool = True) -> Bearer:
    return Bearer(api_key_digest(secret), verified, site, may_import=False)


def _endless(send: Callable[[Client], None]) -> Callable[[], None]:
    """Every request from another address, so that no address's rate is what limits."""
    numbers = iter(range(1 << 30))
    return lambda: send(_client(next(numbers)))


def test_a_site_at_a_hundred_times_its_rate_is_limited_to_it_and_no_other_loses_one(
    tmp_path: Path,
) -> None:
    world = _World(tmp_path, total_events_per_s=1_000)
    world.know(SiteRules("noisy.example", events_per_s=20), SiteRules(SITE, events_per_s=200))
    world.run(
        {
            "noisy": (2_000, world.sender("noisy.example")),
            "quiet": (150, world.sender(SITE)),
        }
    )
    assert world.refused["quiet"] == 0
    assert world.per_s("noisy") == pytest.approx(20, rel=0.1)


def test_where_the_total_runs_short_the_quiet_have_all_they_ask_for_and_the_noisy_the_rest(
    tmp_path: Path,
) -> None:
    world = _World(tmp_path, total_events_per_s=100)
    sites = [SiteRules(name, events_per_s=100_000) for name in ("a", "b", "c")]
    world.know(*sites)
    rates = {"a": 3_000, "b": 300, "c": 20}
    world.run({name: (per_s, world.sender(name)) for name, per_s in rates.items()})
    assert world.refused["c"] == 0
    assert world.per_s("a") == pytest.approx(40, rel=0.15)
    assert world.per_s("b") == pytest.approx(40, rel=0.15)


def test_the_part_that_a_noisy_site_had_is_free_again_once_it_is_quiet(tmp_path: Path) -> None:
    world = _World(tmp_path, total_events_per_s=100)
    world.know(SiteRules("a", events_per_s=100_000), SiteRules("b", events_per_s=100_000))
    both = {name: (1_000.0, world.sender(name)) for name in ("a", "b")}
    world.run(both)
    world.passed.clear()
    world.run({"a": both["a"]})
    assert world.per_s("a") == pytest.approx(100, rel=0.1)


def test_what_belongs_to_no_site_takes_nothing_from_the_sites(tmp_path: Path) -> None:
    world = _World(tmp_path, total_events_per_s=100)
    world.know(SiteRules(SITE, events_per_s=100))
    world.run(
        {
            "junk": (5_000, _endless(world.junk)),
            "quiet": (45, world.sender(SITE)),
        }
    )
    assert world.refused["quiet"] == 0


def test_asking_once_for_each_of_many_sites_makes_no_other_sites_part_smaller(
    tmp_path: Path,
) -> None:
    world = _World(tmp_path, total_events_per_s=300)
    crowd = [f"s{number}.example" for number in range(150)]
    sites = [SiteRules(name, events_per_s=100_000) for name in (*crowd, "noisy", SITE)]
    world.know(*sites)
    turns = iter(crowd * LONG * 2)
    world.run(
        {
            "crowd": (150, _endless(lambda client: world.beacon(next(turns), client))),
            "noisy": (1_000, world.sender("noisy")),
            "quiet": (40, world.sender(SITE)),
        }
    )
    assert world.refused["quiet"] == 0
    assert world.refused["crowd"] == 0


@pytest.mark.parametrize("keyed", [False, True])
def test_without_a_snapshot_one_address_takes_nothing_from_another(
    tmp_path: Path, keyed: bool
) -> None:
    world = _World(tmp_path)
    bearer = _bearer("made-up", None, verified=False) if keyed else None
    world.run(
        {
            "noisy": (5_000, lambda: world.beacon("any.example", _client(1), bearer)),
            "quiet": (50, lambda: world.beacon("other.example", _client(999), bearer)),
        }
    )
    assert world.refused["quiet"] == 0
    assert world.per_s("noisy") == pytest.approx(100, rel=0.1)


def test_a_sites_server_has_no_limit_by_address_and_shares_the_total_all_the_same(
    tmp_path: Path,
) -> None:
    world = _World(tmp_path, total_events_per_s=400, per_address_events_per_s=1)
    world.know(SiteRules("noisy", events_per_s=100_000), SiteRules(SITE, events_per_s=100_000))
    world.run(
        {
            "noisy": (4_000, lambda: world.beacon("noisy", _client(1), _bearer("n", "noisy"))),
            "quiet": (100, lambda: world.beacon(SITE, _client(1), _bearer("q", SITE))),
        }
    )
    assert world.refused["quiet"] == 0
    assert world.per_s("noisy") == pytest.approx(300, rel=0.1)


def test_what_a_sites_own_key_sends_in_vain_counts_against_that_site(tmp_path: Path) -> None:
    world = _World(tmp_path)
    world.know(SiteRules(SITE, events_per_s=10), SiteRules("calm.example", events_per_s=10))
    for _ in range(30):
        world.guard.charge_untaken(world.guard.prefix(_client(1)), _bearer("k", SITE), 0)
    with pytest.raises(Refusal):
        world.guard.check_rate(world.guard.prefix(_client(1)), _bearer("k", SITE))
    world.beacon("calm.example", _client(1))


def test_nobody_can_use_up_a_sites_rate_with_what_only_names_it(tmp_path: Path) -> None:
    world = _World(tmp_path)
    world.know(SiteRules(SITE, events_per_s=1))
    for number in range(1_000):
        world.junk(_client(number))
    world.beacon(SITE, _client(5_000))


@given(
    asked=st.lists(st.floats(0, 1e6), max_size=40),
    total=st.floats(1, 1e6),
)
def test_no_part_is_cut_that_others_do_not_need(asked: list[float], total: float) -> None:
    part = fair_part(asked, total)
    given_out = sum(min(wanted, part) for wanted in asked)
    assert given_out <= total * (1 + 1e-9)
    if any(wanted > part for wanted in asked):
        assert given_out == pytest.approx(total)
    assert all(min(wanted, part) == wanted for wanted in asked if wanted <= total / len(asked))


def test_a_network_of_ipv4_and_one_of_ipv6_never_share_a_rate(tmp_path: Path) -> None:
    guard = _World(tmp_path).guard
    addresses = ("0.0.1.1", "0.0.2.1", "::", "0:0:1::5", "0:0:2::5", "ffff::1", "255.255.255.1")
    clients = [find_client(address, "", Networks(())) for address in addresses]
    assert len({guard.prefix(client) for client in clients}) == len(addresses)
    beside = find_client("0:0:1::6", "", Networks(()))
    assert guard.prefix(beside) == guard.prefix(clients[3])


def test_nobody_is_remembered_while_there_is_enough_for_all() -> None:
    total: FairTotal[int] = FairTotal(1_000)
    for step in range(5_000):
        total.charge(step % 40, 100.0 + step / 900, 1)
    assert (len(total._asked), len(total._each)) == (0, 0)


def test_after_a_long_calm_what_a_site_asks_for_is_its_part_within_two_windows() -> None:
    total: FairTotal[str] = FairTotal(100)
    passed: Counter[str] = Counter()
    for now in (1_000.0, 2_000.0, 3_000.0):
        passed.clear()
        for step in range(800):
            at = now + step / 100
            for party, events in (("noisy", 30), ("quiet", step % 4 == 0)):
                for _ in range(int(events)):
                    if total.wait_s(party, at) == 0:
                        total.charge(party, at, 1)
                        passed[party] += step >= 400
        assert passed["quiet"] == 100
        assert passed["noisy"] == pytest.approx(300, rel=0.15)


def test_a_divided_total_holds_bounded_memory() -> None:
    total: FairTotal[int] = FairTotal(10)
    for party in range(100_000):
        total.charge(party, 5.0, 1)
    assert len(total._asked) <= MOST_PARTIES


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (BEACON, SITE),
        ([BEACON, BEACON], SITE),
        ([BEACON, {**BEACON, "site": "other.example"}], None),
        ([BEACON, {}], None),
        ([], None),
        ({"site": 5}, None),
        ({"props": {"site": "x"}, "site": SITE}, SITE),
        ("text", None),
    ],
)
def test_a_look_at_a_body_tells_its_site_where_there_is_one(body: object, name: str | None) -> None:
    assert site_named_in(json.dumps(body).encode()) == name
    assert site_named_in(b'{"site":"cut') is None
    assert site_named_in(b'{"site":"\xff"}') is None
    assert site_named_in(b"[" * 100_000) is None


@pytest.mark.anyio
async def test_a_body_of_a_limited_site_is_refused_before_it_is_judged(
    edge: EdgeUnderTest,
) -> None:
    edge.use(snapshot(2, sites=(SiteRules(SITE, events_per_s=1), SiteRules("calm.example"))))
    for _ in range(5):
        await edge.post()
    answer = await edge.post({**BEACON, "url": "no url", "revenue": 3})
    assert (answer.status, answer.code) == (429, "rate_limited")
    assert int(answer.headers["retry-after"]) >= 1
    assert edge.worker.tally.counts[SITE]["refused:rate_limited"] >= 1
    assert "" not in edge.worker.tally.counts
    assert (await edge.post({**BEACON, "site": "calm.example"})).status == 202
    assert (await edge.post({**BEACON, "site": "calm.example", "url": "no url"})).status == 400
    assert (await edge.post({**BEACON, "site": "stranger.example"})).code == "unknown_site"


@pytest.mark.anyio
async def test_no_faulty_event_in_an_array_helps_its_site_to_more_than_its_part(
    edge: EdgeUnderTest,
) -> None:
    sites = SiteRules(SITE, events_per_s=100_000), SiteRules("calm.example")
    edge.use(snapshot(2, sites=sites, total_events_per_s=10, per_address_events_per_s=100_000))
    statuses = [(await edge.post([BEACON, {}])).status for _ in range(40)]
    assert 429 in statuses
    assert statuses.count(202) < 25
    assert (await edge.post({**BEACON, "site": "calm.example"})).status == 202


@pytest.mark.anyio
async def test_a_body_under_the_key_of_a_limited_site_is_not_even_read(
    edge: EdgeUnderTest,
) -> None:
    edge.app.head_timeout_s = 0.1
    keys = (key_rules("secret", SITE, "ingest"), key_rules("other", None, "ingest"))
    edge.use(snapshot(2, sites=(SiteRules(SITE, events_per_s=1),), keys=keys))
    for _ in range(5):
        await edge.post(authorization="Bearer other")
    headers = {"content-type": "text/plain", "authorization": "Bearer secret"}
    answer = await edge.send("POST", "/track", [b"[", b" "], headers, never_ends=True)
    assert answer.status == 429
    assert edge.worker.memory.held == 0


@pytest.mark.anyio
async def test_without_a_snapshot_a_made_up_key_is_limited_by_address(
    primary: str, spool: str, tmp_path: Path
) -> None:
    settings = edge_settings(primary, spool, tmp_path, edge_address_events_per_s=2)
    async with running_edge(settings) as edge:
        edge.stop_time()
        statuses = [
            (await edge.post(authorization=f"Bearer made-up-{number}")).status
            for number in range(10)
        ]
    assert set(statuses) == {202, 429}


@pytest.mark.anyio
async def test_a_snapshot_that_names_no_limits_leaves_the_edges_own_in_force(
    primary: str, spool: str, tmp_path: Path
) -> None:
    settings = edge_settings(primary, spool, tmp_path, edge_address_events_per_s=2)
    async with running_edge(settings) as edge:
        edge.stop_time()
        edge.use(snapshot())
        statuses = [(await edge.post()).status for _ in range(10)]
    assert set(statuses) == {202, 429}


def test_one_who_holds_much_leaves_as_much_for_others() -> None:
    memory = BodyMemory(1_000)
    memory.take(500, "greedy")
    with pytest.raises(Refusal) as refused:
        memory.take(1, "greedy")
    assert (refused.value.code, refused.value.retry_after_s) == (Code.RATE_LIMITED, 1)
    memory.take(250, "other")
    memory.take(125, "third")
    assert memory.held == 875
    memory.give_back(500, "greedy")
    memory.take(300, "greedy")
    for size, holder in ((300, "greedy"), (250, "other"), (125, "third")):
        memory.give_back(size, holder)
    assert (memory.held, memory._held_by) == (0, {})


@pytest.mark.anyio
async def test_slow_bodies_of_one_address_leave_room_for_those_of_others(
    primary: str, spool: str, tmp_path: Path
) -> None:
    settings = edge_settings(
        primary, spool, tmp_path, edge_body_memory_bytes=100_000, edge_body_timeout_s=60.0
    )
    async with running_edge(settings) as edge:
        headers = {"content-type": "text/plain"}
        slow = [
            asyncio.create_task(
                edge.send("POST", "/track", [b"x" * 20_000], headers, peer=peer, never_ends=True)
            )
            for peer in ("192.0.2.1", "192.0.2.99", "192.0.2.200")
        ]
        while edge.worker.memory.held < 40_000:  # noqa: ASYNC110
            await asyncio.sleep(0)
        answer = await edge.send("POST", "/track", [BODY], headers, peer="198.51.100.1")
        assert answer.status == 202
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        assert edge.worker.memory.held == 0
