"""The month that questions are measured on."""

import json
from datetime import date

from tests.benchmarks.month_traffic import BROWSER, COUNTRY, MadeSite, beacons_of
from tests.benchmarks.panels import (
    FILTERS,
    PANELS,
    SHARED,
    Dialect,
    chosen,
    question,
    scanned,
    statement,
)

SITE = MadeSite("busy.example", "Asia/Kolkata", 4_000)
DAY = date(2026, 5, 6)
SPAN = (date(2026, 5, 1), date(2026, 5, 30))
SQL = Dialect("arg_min", "arg_max", "round_even", "(({}) // {})", "CREATE TABLE {} AS {}")


def test_a_day_of_a_made_site_is_the_same_at_every_call_and_in_order_of_time() -> None:
    beacons = beacons_of(SITE, DAY)
    assert beacons == beacons_of(SITE, DAY)
    assert beacons == sorted(beacons)
    assert beacons != beacons_of(SITE, date(2026, 5, 7))


def test_a_day_has_about_as_many_beacons_as_it_says_all_of_them_json() -> None:
    beacons = beacons_of(SITE, DAY)
    assert 0.9 * 4_000 < len(beacons) < 1.1 * 4_000
    assert {json.loads(beacon.body)["site"] for beacon in beacons} == {SITE.key}


def test_no_two_beacons_of_a_visitor_happen_at_one_instant() -> None:
    beacons = beacons_of(SITE, DAY)
    assert len({(each.received_at, each.ip) for each in beacons}) == len(beacons)


def test_the_filters_choose_a_tenth_and_six_tenths_of_the_beacons() -> None:
    beacons = beacons_of(SITE, DAY)
    of_country = [each for each in beacons if each.ip.startswith("20.")]
    of_browser = [each for each in beacons if "Chrome/" in each.user_agent]
    of_browser = [each for each in of_browser if "Edg/" not in each.user_agent]
    assert 0.07 < len(of_country) / len(beacons) < 0.13
    assert 0.55 < len(of_browser) / len(beacons) < 0.65


def test_a_filtered_panel_is_asked_by_both_of_its_filters_and_those_of_its_own() -> None:
    asked = question(PANELS["pages"], "busy.example", SPAN, 9, FILTERS)
    assert asked["filters"] == [
        ["is", "visit:country", [COUNTRY]],
        ["is", "visit:browser", [BROWSER]],
        ["is_not", "event:page", [""]],
    ]
    assert asked["pagination"] == {"limit": 9, "offset": 0}


def test_a_panel_of_its_own_scan_and_one_of_a_shared_scan_differ_in_their_relation_alone() -> None:
    where = chosen(1, SPAN, True)
    apart = statement(PANELS["countries"], SQL, scanned(SQL, where), 9)
    shared = statement(PANELS["countries"], SQL, SHARED, 9)
    assert apart.replace(f"(SELECT * FROM events WHERE {where}) chosen", "chosen_rows") == shared
    assert f"country = '{COUNTRY}' AND browser = '{BROWSER}'" in apart
