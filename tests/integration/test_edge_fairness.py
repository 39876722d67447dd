"""A real edge, two sites, and one of them sends far more than it may."""

import http.client
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

from redis import Redis

from shared.snapshot import REDIS_KEY, SiteRules
from tests.edge_processes import EdgeProcesses, edge_processes, wait_for
from tests.edge_under_test import BEACON, BROWSER, SITE, signed, snapshot, stored_envelopes

NOISY = "noisy.example"
ALLOWED_PER_S = 5
QUIET_BEACONS = 100


def test_a_noisy_site_is_told_to_come_back_and_its_neighbour_loses_nothing(
    primary: str, spool: str, tmp_path: Path
) -> None:
    _publish(primary, SiteRules(NOISY, events_per_s=ALLOWED_PER_S), SiteRules(SITE))
    with edge_processes(primary, spool, tmp_path / "state") as edge:
        noisy, quiet = _send_both(edge)
        counted = f'{{outcome="refused:rate_limited"}} {noisy[429]}.0'
        wait_for(lambda: counted in edge.metrics())
    assert quiet == {202: QUIET_BEACONS}
    assert set(noisy) == {202, 429}
    assert noisy[429] > 10 * noisy[202]
    stored = Counter(envelope.site for envelope in stored_envelopes(primary))
    assert stored == {SITE: QUIET_BEACONS, NOISY: noisy[202]}


def test_a_total_that_runs_short_is_the_noisy_sites_trouble_alone(
    primary: str, spool: str, tmp_path: Path
) -> None:
    sites = SiteRules(NOISY, events_per_s=100_000), SiteRules(SITE, events_per_s=100_000)
    _publish(primary, *sites, total_events_per_s=20)
    with edge_processes(primary, spool, tmp_path / "state") as edge:
        noisy, quiet = _send_both(edge, quiet_beacons=15)
    assert quiet == {202: 15}
    assert noisy[429] > noisy[202]


def _publish(primary: str, *sites: SiteRules, total_events_per_s: int = 50_000) -> None:
    made = snapshot(
        sites=sites, per_address_events_per_s=100_000, total_events_per_s=total_events_per_s
    )
    with Redis.from_url(primary) as redis:
        redis.set(REDIS_KEY, signed(made))


def _send_both(
    edge: EdgeProcesses, quiet_beacons: int = QUIET_BEACONS
) -> tuple[Counter[int], Counter[int]]:
    """Statuses of the noisy site, as fast as it is answered, and of the quiet one's beacons."""
    edge.start_edge()
    wait_for(lambda: "millrace_edge_snapshot_version 1.0" in edge.metrics())
    is_limited, is_over = Event(), Event()
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(_send_until, edge, is_limited, is_over)
        assert is_limited.wait(60)
        quiet = Counter(edge.post({**BEACON, "title": str(n)}).status for n in range(quiet_beacons))
        is_over.set()
        return sending.result(), quiet


def _send_until(edge: EdgeProcesses, is_limited: Event, is_over: Event) -> Counter[int]:
    body = json.dumps({**BEACON, "site": NOISY})
    headers = {"content-type": "text/plain", "user-agent": BROWSER}
    statuses: Counter[int] = Counter()
    connection = http.client.HTTPConnection("127.0.0.1", edge.port, timeout=60)
    while not is_over.is_set() or statuses[429] <= 10 * statuses[202]:
        connection.request("POST", "/track", body, headers)
        answer = connection.getresponse()
        answer.read()
        statuses[answer.status] += 1
        if answer.status == 429:
            assert int(answer.headers["retry-after"]) >= 1
            is_limited.set()
    connection.close()
    return statuses
