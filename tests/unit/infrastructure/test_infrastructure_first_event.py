"""Waiting for the first event: each kind of refusal is told once, with what to do about it."""

from datetime import UTC, datetime

import msgspec

from api.arrivals import Arrivals, Bots
from infrastructure.first_event import NEXT_STEPS, Watch, wait_for_first_event, what_came_instead
from shared.errors import Code
from shared.program import PROGRAM

SITE = "example.com"
NOTHING = Arrivals(None, 0, 0, (), {}, {}, {}, {}, None)


def after(**changes: object) -> Arrivals:
    return msgspec.structs.replace(NOTHING, **changes)


def test_a_refused_origin_is_told_once_with_the_command_that_allows_it() -> None:
    watch = Watch(SITE, NOTHING)
    (told,) = watch.news(after(refused={"forbidden_origin": 1}))
    assert f"`{PROGRAM} site set {SITE} origins=" in told
    assert list(watch.news(after(refused={"forbidden_origin": 9}))) == []


def test_what_came_before_is_no_news_until_there_is_more_of_it() -> None:
    before = after(elsewhere={"refused:unknown_site": 7})
    watch = Watch(SITE, before)
    assert list(watch.news(before)) == []
    (told,) = watch.news(after(elsewhere={"refused:unknown_site": 8}))
    assert f"data-site must be {SITE}" in told


def test_a_reason_without_a_next_step_is_named_all_the_same() -> None:
    (told,) = Watch(SITE, NOTHING).news(after(refused={"bad_json": 1}))
    assert told == "Something came and was refused (bad_json)."


def test_what_came_is_told_with_what_to_do_about_it() -> None:
    arrivals = after(
        refused={"forbidden_origin": 1_200},
        elsewhere={"refused:unknown_site": 2},
        bots=(Bots("curl: a {rule}", 3),),
    )
    refused, elsewhere, robots = what_came_instead(SITE, arrivals)
    assert refused.startswith("1,200 refused (forbidden_origin): the page is not on")
    assert (
        elsewhere == "2 of no known site, refused (unknown_site): a page names a site that is not "
        f"here: its data-site must be {SITE}."
    )
    assert robots == "3 of robots (rule curl: a {rule}), stored and not counted."


def test_a_robot_is_named_by_its_rule_whatever_that_holds() -> None:
    (told,) = Watch(SITE, NOTHING).news(after(bots=(Bots("{site}", 2),)))
    assert "(rule {site})" in told


def test_every_reason_with_a_next_step_is_one_that_exists() -> None:
    drops = {"dnt", "gpc", "prefetch", "excluded"}
    assert set(NEXT_STEPS) <= {str(code) for code in Code} | drops


def test_it_looks_on_until_an_event_counts() -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    seen = iter([NOTHING, after(dropped={"dnt": 1}), after(first_event_at=now)])
    told: list[str] = []
    pauses: list[None] = []
    found = wait_for_first_event(
        SITE, NOTHING, lambda: next(seen), told.append, lambda: pauses.append(None)
    )
    assert found.first_event_at == now
    assert len(pauses) == 3
    assert ["Do Not Track" in sentence for sentence in told] == [True]


def test_where_an_event_is_there_already_nothing_is_waited_for() -> None:
    there = after(first_event_at=datetime(2026, 11, 22, tzinfo=UTC))

    def never() -> Arrivals:
        raise AssertionError

    assert wait_for_first_event(SITE, there, never, print, print) == there
