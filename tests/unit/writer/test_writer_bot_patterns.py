"""Bot patterns: which events they mark, of whom and of when."""

from typing import Any

import pytest

from shared.bots import BadPattern, Judge, Pattern, check_pattern
from tests.unit.writer.test_writer_enrich import draft
from tests.writer_world import CHROME
from writer.enrich.bot import BotPattern, Bots

CURL = "curl/8.5.0"
MINE, OTHER = 1, 2


def agent(name: str, pattern: str, **more: Any) -> Pattern:
    return Pattern(name, "user_agent", pattern, **more)


def network(name: str, pattern: str, **more: Any) -> Pattern:
    return Pattern(name, "network", pattern, **more)


def held(
    pattern: Pattern, site_id: int | None = MINE, since: int = 0, until: int | None = None
) -> BotPattern:
    return BotPattern(site_id, since, until, pattern)


def marked(
    *patterns: BotPattern,
    site_id: int = MINE,
    user_agent: str = CHROME,
    ip: str = "203.0.113.7",
    received_at: int = 100,
) -> str | None:
    bots = Bots()
    bots.learn(patterns)
    event = draft(user_agent=user_agent, ip=ip, site_id=site_id, received_at=received_at)
    bots.mark([event])
    return event.bot


def test_a_pattern_names_what_it_matches_anywhere_in_the_user_agent_whatever_its_case() -> None:
    assert marked(held(agent("ours", "linux X86"))) == "ours"
    assert marked(held(agent("ours", "freebsd"))) is None


def test_a_network_names_the_addresses_in_it() -> None:
    office = held(network("office", "203.0.113.0/28"))
    assert marked(office, ip="203.0.113.15") == "office"
    assert marked(office, ip="203.0.113.16") is None
    assert marked(office, ip="") is None
    assert marked(held(network("v6", "2001:db8::/33")), ip="2001:db8:7fff::1") == "v6"
    assert marked(held(network("v6", "2001:db8::/33")), ip="2001:db8:8000::1") is None


def test_the_packaged_list_goes_on_beside_the_patterns() -> None:
    assert marked(held(agent("ours", "freebsd")), user_agent=CURL) == "^curl"


def test_a_sites_pattern_touches_no_other_site_and_an_installations_touches_all() -> None:
    own, common = held(agent("own", "linux")), held(agent("common", "linux"), None)
    assert marked(own, site_id=OTHER) is None
    assert marked(common, site_id=OTHER) == "common"
    assert marked(common, own) == "own"


def test_the_first_pattern_that_matches_decides_be_it_of_network_or_user_agent() -> None:
    first, second = network("net", "203.0.113.0/24"), agent("agent", "linux")
    assert marked(held(first), held(second)) == "net"
    assert marked(held(second), held(first)) == "agent"


def test_what_is_allowed_is_no_robot_whatever_the_list_says() -> None:
    monitored = held(agent("our app", "^curl/8", allows=True))
    assert marked(monitored, user_agent=CURL) is None
    assert marked(monitored, user_agent="curl/7.0") == "^curl"
    assert marked(monitored, user_agent=CURL, site_id=OTHER) == "^curl"


def test_an_event_is_judged_by_the_patterns_of_when_it_was_received() -> None:
    past = held(agent("then", "linux"), since=50, until=150)
    moments = {49: None, 50: "then", 149: "then", 150: None}
    for received_at, expected in moments.items():
        assert marked(past, received_at=received_at) == expected, received_at
    later = held(agent("later", "linux"), since=120)
    assert marked(later, past, received_at=119) == "then"
    assert marked(later, past, received_at=120) == "later"


def test_what_is_learnt_anew_holds_at_once() -> None:
    bots, event = Bots(), draft()
    for patterns, expected in (
        ((held(agent("a", "linux")),), "a"),
        ((held(agent("b", "linux")),), "b"),
        ((), None),
    ):
        bots.learn(patterns)
        bots.mark([event])
        assert event.bot == expected


def test_a_pattern_that_cannot_be_used_is_passed_over() -> None:
    assert marked(held(agent("broken", "(")), held(agent("sound", "linux"))) == "sound"
    assert marked(held(network("broken", "nowhere")), held(agent("sound", "linux"))) == "sound"


@pytest.mark.parametrize(
    "pattern",
    [
        agent("open", "("),
        agent("look-ahead", "a(?=b)"),
        agent("everybody", "Mozilla"),
        agent("everybody", ".*"),
        agent("empty", ""),
        agent("long", "a" * 501),
        agent("unprintable", "a\0"),
        agent("explodes", "((a{100}){100}){100}"),
        agent("repeats", "(a|b|c).{1000}x.{900}y"),
        network("host bits", "203.0.113.7/24"),
        network("words", "office"),
        network("everybody", "0.0.0.0/0"),
        network("everybody", "::/0"),
    ],
)
def test_a_pattern_that_cannot_work_or_leaves_nobody_is_refused(pattern: Pattern) -> None:
    with pytest.raises(BadPattern):
        check_pattern(pattern)


def test_a_quotation_left_open_does_not_swallow_the_patterns_after_it() -> None:
    judge = Judge([agent("open", r"\Qa.b"), agent("next", "freebsd")])
    assert judge.rule_of("xA.By", "") == agent("open", r"\Qa.b")
    assert judge.rule_of("FreeBSD", "") == agent("next", "freebsd")


@pytest.mark.parametrize("user_agent", ["", "\ud800", "\0" * 10, "é" * 3_000, "a" * 100_000])
def test_no_user_agent_breaks_a_pattern(user_agent: str) -> None:
    assert Judge([agent("slow elsewhere", "(a|aa)+$b")]).rule_of(user_agent, "") is None
