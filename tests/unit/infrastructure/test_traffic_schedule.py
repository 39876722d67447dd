"""The generated traffic: seeded, believable, at the rate asked for, and all of it sound."""

from collections import Counter
from ipaddress import ip_address, ip_network
from itertools import islice, pairwise, takewhile
from random import Random
from uuid import uuid4

import crawleruseragents
import pytest

from infrastructure.traffic.browsers import BROWSERS, CRAWLERS
from infrastructure.traffic.countries import COUNTRIES, pick_address, pick_country, wakefulness
from infrastructure.traffic.schedule import planned_events
from infrastructure.traffic.site_map import PAGES
from infrastructure.traffic.sources import SOURCES
from infrastructure.traffic.tracker_client import body_of
from infrastructure.traffic.visit import Planned, new_visitor, plan_visit
from shared.beacon import Caller
from shared.beacon_reader import read

SITE = "demo.example"


def events(seconds: float, rate: float = 50.0, seed: int = 7) -> list[Planned]:
    return list(takewhile(lambda each: each.at_s < seconds, planned_events(seed, SITE, rate)))


def test_the_same_seed_gives_the_same_traffic_and_another_seed_another() -> None:
    assert events(20) == events(20)
    assert events(20) != events(20, seed=8)


def test_events_come_in_order_and_none_before_the_beginning() -> None:
    times = [each.at_s for each in events(60)]
    assert times[0] >= 0
    assert all(before <= after for before, after in pairwise(times))


@pytest.mark.parametrize("rate", [5.0, 200.0])
def test_the_rate_is_the_one_asked_for_from_the_first_second(rate: float) -> None:
    planned = events(120, rate)
    assert len(planned) == pytest.approx(120 * rate, rel=0.25)
    assert sum(each.at_s < 20 for each in planned) == pytest.approx(20 * rate, rel=0.5)


def test_every_event_is_one_that_an_edge_takes_without_a_key() -> None:
    caller = Caller(received_at=1_795_000_000_000_000)
    for each in islice(planned_events(3, SITE, 100.0), 3_000):
        reading = read(body_of(each.event, uuid4(), 1_500), caller)
        assert (reading.faults, reading.ignored) == ([], ())


def test_people_read_several_pages_sign_up_and_buy() -> None:
    planned = events(600)
    names = Counter(each.event.name for each in planned)
    assert {"pageview", "signup", "add to basket", "purchase"} <= set(names)
    assert all(each.event.revenue for each in planned if each.event.name == "purchase")
    by_visitor = Counter(each.visitor for each in planned)
    assert len(by_visitor) < len(planned) / 2


def test_only_the_first_page_of_a_visit_names_where_it_came_from() -> None:
    rng = Random(1)
    for _ in range(200):
        first, *rest = plan_visit(rng, SITE, new_visitor(rng, 12.0), 0.0)
        assert not first.event.referrer.startswith(f"https://{SITE}")
        assert all("utm_" not in each.event.url for each in rest if each.event.name == "pageview")
        assert all(each.event.referrer.startswith(("", f"https://{SITE}/")) for each in rest)


def test_the_list_that_the_writer_uses_knows_the_crawlers_and_no_visitor() -> None:
    assert all(crawleruseragents.is_crawler(each.user_agent) for each in CRAWLERS)
    assert not any(crawleruseragents.is_crawler(each.user_agent) for _, each in BROWSERS)


def test_addresses_lie_in_the_networks_of_their_country() -> None:
    rng = Random(2)
    for country in COUNTRIES:
        address = ip_address(pick_address(rng, country))
        assert address.is_global
        assert any(address in ip_network(network) for network in country.networks)


def test_countries_come_and_go_with_the_hours_of_the_day() -> None:
    def share(code: str, utc_hour: float) -> float:
        rng = Random(5)
        return sum(pick_country(rng, utc_hour).code == code for _ in range(3_000)) / 3_000

    assert share("US", 21) > 1.5 * share("US", 9)
    assert share("IN", 9) > 1.5 * share("IN", 22)
    assert wakefulness(15) == 1.0
    assert wakefulness(3) == pytest.approx(0.15)


def test_every_link_and_landing_page_of_the_site_is_there() -> None:
    linked = {path for page in PAGES.values() for _, path in page.next}
    landed = {path for _, source in SOURCES for path in source.landing}
    assert linked | landed <= set(PAGES)
