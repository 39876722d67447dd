"""Who may send: origins, keys, addresses, rates and deliberate drops."""

import json
import time
from pathlib import Path

import pytest

from shared.snapshot import SiteRules
from tests.edge_under_test import (
    BEACON,
    BROWSER,
    SITE,
    EdgeUnderTest,
    edge_settings,
    key_rules,
    running_edge,
    snapshot,
    stored_envelopes,
)

pytestmark = pytest.mark.anyio

SECRET = "mr_test-secret"
KEYED = f"Bearer {SECRET}"


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://shop.example", 202),
        ("http://www.shop.example:8080", 202),
        ("https://SHOP.example", 202),
        ("https://partner.example", 202),
        ("https://partner.example:444", 403),
        ("https://notshop.example", 403),
        ("https://shop.example.evil.example", 403),
        ("http://localhost:3000", 403),
        ("null", 403),
        ("chrome-extension://abc", 403),
        ("https://shop.example@evil.example", 403),
        ("", 403),
    ],
)
async def test_an_origin_is_the_sites_own_or_listed(
    edge: EdgeUnderTest, origin: str, status: int
) -> None:
    answer = await edge.post(origin=origin)
    assert answer.status == status
    if status == 403:
        assert answer.code == "forbidden_origin"
    assert answer.headers["access-control-allow-origin"] == origin


async def test_a_call_without_an_origin_passes(edge: EdgeUnderTest) -> None:
    assert (await edge.post()).status == 202


async def test_a_null_origin_is_refused_even_without_a_snapshot(bare_edge: EdgeUnderTest) -> None:
    assert (await bare_edge.post(origin="null")).code == "forbidden_origin"
    assert (await bare_edge.post(origin="https://any.example")).status == 202


async def test_localhost_is_an_origin_where_the_site_lists_it(edge: EdgeUnderTest) -> None:
    sites = (SiteRules(SITE, origins=("localhost",)), SiteRules("localhost"))
    edge.use(snapshot(2, sites=sites))
    assert (await edge.post(origin="http://localhost:3000")).status == 202
    own = {"site": "localhost", "url": "http://localhost/"}
    assert (await edge.post(own, origin="http://localhost:8080")).status == 202


@pytest.mark.parametrize(
    ("authorization", "status", "code"),
    [
        ("Bearer mr_unknown", 401, "unauthenticated"),
        ("Basic abc", 401, "unauthenticated"),
        ("Bearer", 401, "unauthenticated"),
        ("Bearer \xff", 401, "unauthenticated"),
        ("Bearer " + "x" * 5_000, 401, "unauthenticated"),
        ("Bearer of-other-site", 403, "forbidden"),
        ("Bearer read-only", 403, "forbidden"),
        ("bearer " + SECRET, 202, ""),
    ],
)
async def test_a_key_must_be_known_good_for_the_site_and_have_the_scope(
    edge: EdgeUnderTest, authorization: str, status: int, code: str
) -> None:
    known = (
        key_rules(SECRET, SITE, "ingest"),
        key_rules("of-other-site", "other.example", "ingest"),
        key_rules("read-only", SITE, "query"),
    )
    edge.use(snapshot(2, keys=known))
    answer = await edge.post(authorization=authorization)
    assert answer.status == status
    if code:
        assert answer.code == code


async def test_a_keyed_call_is_captured_without_the_servers_address(
    edge: EdgeUnderTest, primary: str
) -> None:
    edge.use(snapshot(2, keys=(key_rules(SECRET, SITE, "ingest"),)))
    await edge.post({**BEACON, "ip": "198.51.100.4", "user_agent": BROWSER}, authorization=KEYED)
    (envelope,) = stored_envelopes(primary)
    assert (envelope.ip, envelope.verified) == ("", True)
    assert envelope.key is not None
    assert SECRET.encode() not in envelope.body


async def test_without_a_snapshot_a_key_travels_as_its_hash(
    bare_edge: EdgeUnderTest, primary: str
) -> None:
    answer = await bare_edge.post({**BEACON, "ip": "198.51.100.4"}, authorization=KEYED)
    assert answer.status == 202
    (envelope,) = stored_envelopes(primary)
    assert (envelope.verified, len(envelope.key or b"")) == (False, 32)


async def test_without_a_snapshot_any_site_is_taken(bare_edge: EdgeUnderTest) -> None:
    assert (await bare_edge.post({**BEACON, "site": "unheard.example"})).status == 202


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"dnt": "1"}, "dnt"),
        ({"sec-gpc": "1"}, "gpc"),
        ({"sec-purpose": "prefetch;prerender"}, "prefetch"),
        ({"purpose": "prefetch"}, "prefetch"),
    ],
)
async def test_what_headers_ask_to_be_dropped_is_never_parsed(
    edge: EdgeUnderTest, primary: str, headers: dict[str, str], reason: str
) -> None:
    answer = await edge.post(b"not even json", **headers)
    assert answer.status == 202
    assert answer.headers["x-millrace-dropped"] == reason
    assert answer.json == {"accepted": 0, "dropped": 1, "receipts": []}
    assert stored_envelopes(primary) == []
    assert edge.worker.tally.counts[""] == {f"dropped:{reason}": 1}


async def test_what_a_sites_own_page_sends_in_vain_is_counted_as_that_sites(
    edge: EdgeUnderTest,
) -> None:
    own = "https://www.shop.example"
    await edge.post(dnt="1", origin=own)
    await edge.post(**{"sec-gpc": "1"}, origin="https://any.example")
    await edge.post(origin="https://any.example")
    await edge.post({**BEACON, "site": "unheard.example"}, origin=own)
    assert edge.worker.tally.counts == {
        SITE: {"dropped:dnt": 1, "refused:forbidden_origin": 1},
        "": {"dropped:gpc": 1, "refused:unknown_site": 1},
    }


async def test_a_site_may_waive_do_not_track_for_its_own_pages_alone(edge: EdgeUnderTest) -> None:
    edge.use(snapshot(2, sites=(SiteRules(SITE, honour_dnt=False),)))
    own = await edge.post(dnt="1", origin="https://www.shop.example")
    elsewhere = await edge.post(dnt="1")
    assert own.json["accepted"] == 1
    assert elsewhere.headers["x-millrace-dropped"] == "dnt"


async def test_an_endless_origin_is_no_sites_and_costs_nothing(edge: EdgeUnderTest) -> None:
    edge.use(snapshot(2, sites=(SiteRules(SITE, honour_dnt=False),)))
    rules = edge.worker.guard.rules
    assert rules is not None
    began = time.thread_time()
    assert rules.site_of_origin("http://" + "a." * 500_000 + SITE) is None
    # Looked up name by name it would take minutes.
    assert time.thread_time() - began < 5
    assert rules.site_of_origin("https://" + "a." * 130 + SITE) is None
    assert rules.site_of_origin("https://" + "a." * 100 + SITE) is not None


async def test_a_dropped_body_is_bounded_all_the_same(edge: EdgeUnderTest) -> None:
    assert (await edge.post(b"x" * 70_000, dnt="1")).status == 413


async def test_an_excluded_network_is_dropped_with_its_reason(
    edge: EdgeUnderTest, primary: str
) -> None:
    edge.use(snapshot(2, sites=(SiteRules(SITE, excluded=("192.0.2.0/24", "2001:db8::/32")),)))
    answer = await edge.post([BEACON, BEACON])
    assert answer.status == 202
    assert answer.headers["x-millrace-dropped"] == "excluded"
    assert answer.json == {"accepted": 0, "dropped": 2, "receipts": [None, None]}
    assert stored_envelopes(primary) == []


@pytest.mark.parametrize(
    ("peer", "forwarded", "believed"),
    [
        ("192.0.2.7", "203.0.113.9", "192.0.2.7"),
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.9, 10.9.9.9", "203.0.113.9"),
        ("10.0.0.1", "10.2.2.2, 10.9.9.9", "10.2.2.2"),
        ("10.0.0.1", "203.0.113.9:4711", "203.0.113.9"),
        ("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("10.0.0.1", "2001:DB8:0:0::1", "2001:db8::1"),
        ("10.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9, <script>", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"),
    ],
)
async def test_the_client_is_the_first_hop_from_the_right_that_is_not_trusted(
    primary: str, spool: str, tmp_path: Path, peer: str, forwarded: str, believed: str
) -> None:
    settings = edge_settings(primary, spool, tmp_path, edge_trusted_proxies=("10.0.0.0/8",))
    async with running_edge(settings) as edge:
        headers = {"content-type": "text/plain", "x-forwarded-for": forwarded}
        body = b'{"site":"shop.example","url":"https://shop.example/"}'
        await edge.send("POST", "/track", [body], headers, peer=peer)
        assert stored_envelopes(primary)[0].ip == believed


async def _statuses(edge: EdgeUnderTest, times: int, peer: str, **beacon: str) -> list[int]:
    body = b'{"site":"%b","url":"https://shop.example/"}' % beacon.get("site", SITE).encode()
    headers = {"content-type": "text/plain"}
    return [
        (await edge.send("POST", "/track", [body], headers, peer=peer)).status for _ in range(times)
    ]


async def test_one_address_prefix_uses_up_its_own_rate_and_no_other(edge: EdgeUnderTest) -> None:
    edge.use(snapshot(2, per_address_events_per_s=2))
    statuses = await _statuses(edge, 20, "203.0.113.1")
    assert 4 <= statuses.count(202) < 10
    assert set(statuses) == {202, 429}
    assert await _statuses(edge, 1, "203.0.113.200") == [429]
    assert await _statuses(edge, 1, "203.0.114.1") == [202]


async def test_a_refusal_by_rate_says_when_to_come_back(edge: EdgeUnderTest) -> None:
    edge.use(snapshot(2, per_address_events_per_s=1))
    answers = [await edge.post() for _ in range(10)]
    assert answers[-1].code == "rate_limited"
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert "access-control-allow-origin" in answers[-1].headers


async def test_one_site_uses_up_its_own_rate_and_no_other(edge: EdgeUnderTest) -> None:
    sites = (SiteRules(SITE, events_per_s=2), SiteRules("calm.example"))
    edge.use(snapshot(2, sites=sites))
    assert 429 in await _statuses(edge, 20, "203.0.113.1")
    assert await _statuses(edge, 1, "203.0.113.1", site="calm.example") == [202]


async def test_a_new_snapshot_gives_a_noisy_site_no_fresh_rate(edge: EdgeUnderTest) -> None:
    edge.use(snapshot(2, sites=(SiteRules(SITE, events_per_s=1),)))
    assert 429 in await _statuses(edge, 20, "203.0.113.1")
    edge.use(snapshot(3, sites=(SiteRules(SITE, events_per_s=1),)))
    assert await _statuses(edge, 1, "203.0.113.1") == [429]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"not json", {}),
        (b"{}", {}),
        (b'{"site":"stranger.example","url":"https://shop.example/"}', {}),
        (json.dumps(BEACON).encode(), {"origin": "https://other.example"}),
        (json.dumps(BEACON).encode(), {"dnt": "1"}),
        (b"x" * 70_000, {}),
        (b"", {"content-type": "text/html"}),
        (b"", {"authorization": "Basic x"}),
    ],
)
async def test_what_is_not_taken_uses_up_the_rate_of_its_address_too(
    edge: EdgeUnderTest, body: bytes, headers: dict[str, str]
) -> None:
    edge.use(snapshot(2, per_address_events_per_s=2))
    answers = [await edge.post(body, **headers) for _ in range(10)]
    assert answers[0].status != 429
    assert answers[-1].status == 429


async def test_an_excluded_network_uses_up_its_rate_too(edge: EdgeUnderTest) -> None:
    sites = (SiteRules(SITE, excluded=("192.0.2.0/24",)),)
    edge.use(snapshot(2, sites=sites, per_address_events_per_s=2))
    assert {(await edge.post()).status for _ in range(10)} == {202, 429}


async def test_a_large_faulty_body_costs_more_than_a_small_one(edge: EdgeUnderTest) -> None:
    edge.use(snapshot(2, per_address_events_per_s=20))
    assert {(await edge.post(b"{")).status for _ in range(20)} == {400}
    edge.use(snapshot(3, per_address_events_per_s=21))
    assert 429 in {(await edge.post(b"[" + b" " * 500_000)).status for _ in range(5)}


async def test_an_array_pays_for_its_faulty_events_as_well(edge: EdgeUnderTest) -> None:
    edge.use(snapshot(2, per_address_events_per_s=20))
    assert (await edge.post([BEACON, *[{}] * 99])).status == 202
    assert (await edge.post()).status == 429


async def test_keyed_calls_are_not_limited_by_address(edge: EdgeUnderTest) -> None:
    rules = (key_rules(SECRET, SITE, "ingest"),)
    edge.use(snapshot(2, per_address_events_per_s=1, keys=rules))
    assert {(await edge.post(authorization=KEYED)).status for _ in range(20)} == {202}


async def test_all_together_are_limited_too(edge: EdgeUnderTest) -> None:
    edge.use(snapshot(2, total_events_per_s=2))
    statuses = [(await _statuses(edge, 1, f"203.0.{n}.1"))[0] for n in range(20)]
    assert 429 in statuses
