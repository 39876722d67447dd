"""Each enrichment step, as sentences about what goes in and what comes out."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared.batch import Header
from shared.beacon import Beacon, Item, Revenue
from shared.sites import SiteSettings
from tests.tiny_mmdb import write_mmdb
from tests.writer_world import CHROME, NOON, envelope
from writer.draft import Agent, Campaign, Draft, Dropped, Page, Place, When
from writer.enrich.agent import read_agent
from writer.enrich.bot import Bots
from writer.enrich.campaign import read_campaign
from writer.enrich.exclusion import drop_excluded
from writer.enrich.language import first_language
from writer.enrich.money import read_money
from writer.enrich.page import read_page
from writer.enrich.pipeline import FAILED, Step, enrich, steps
from writer.enrich.place import Geo, read_place
from writer.enrich.props import read_props
from writer.enrich.remembered import Remembered
from writer.enrich.retention import drop_expired
from writer.enrich.screen import class_of
from writer.enrich.source import find_source
from writer.enrich.user import keep_user
from writer.enrich.visitor import add_visitor, visitor_id

IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
)
IPAD = (
    "Mozilla/5.0 (iPad; CPU OS 17_1 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/17.1 Mobile/15E148 Safari/604.1"
)
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
TV = (
    "Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) AppleWebKit/537.36 (KHTML, like Gecko)"
    " 76.0.3809.146/6.0 TV Safari/537.36"
)


def draft(
    *,
    settings: SiteSettings | None = None,
    ip: str = "203.0.113.7",
    user_agent: str = CHROME,
    site: str = "example.com",
    url: str = "https://example.com/",
    **more: Any,
) -> Draft:
    fields = {name: more.pop(name) for name in list(more) if name in Beacon.__struct_fields__}
    values: dict[str, Any] = {
        "header": Header(1, "k", "e1", 1, 1, 1, 0),
        "envelope": envelope(),
        "nth": 0,
        "taken": 0,
        "beacon": Beacon(site=site, url=url, **fields),
        "site_id": 1,
        "site": site,
        "settings": settings or SiteSettings(),
        "event_id": 1,
        "is_derived": False,
        "client_id": None,
        "received_at": NOON,
        "ts": NOON,
        "ip": ip,
        "user_agent": user_agent,
        "accept": "",
        "when": When(),
        **more,
    }
    return Draft(**values)


def after(step: Callable[[Sequence[Draft]], None], event: Draft) -> Draft:
    step([event])
    return event


@pytest.mark.parametrize(
    ("user_agent", "browser", "version", "system", "device"),
    [
        (CHROME, "Chrome", "141", "Linux", "desktop"),
        (FIREFOX, "Firefox", "140", "Windows", "desktop"),
        (IPHONE, "Mobile Safari", "18", "iOS", "mobile"),
        (IPAD, "Mobile Safari", "17", "iOS", "tablet"),
        (TV, "Samsung Internet", "", "Tizen", "tv"),
        ("", "", "", "", ""),
        ("nonsense", "", "", "", ""),
    ],
)
def test_a_user_agent_says_browser_system_and_device(
    user_agent: str, browser: str, version: str, system: str, device: str
) -> None:
    agent = after(read_agent, draft(user_agent=user_agent)).agent
    assert agent.device == device
    if device != "tv":
        assert (agent.browser, agent.browser_version, agent.os) == (browser, version, system)


@pytest.mark.parametrize(
    ("user_agent", "rule"),
    [
        ("curl/8.5.0", "^curl"),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://google.com/bot.html)", "Googlebot\\/"),
        (CHROME, None),
        (IPHONE, None),
        ("", None),
    ],
)
def test_a_robot_is_marked_with_the_rule_that_matched(user_agent: str, rule: str | None) -> None:
    found = after(Bots().mark, draft(user_agent=user_agent)).bot
    assert found == rule


@pytest.mark.parametrize(
    ("url", "page"),
    [
        ("https://www.Example.com/a/b?q=1#top", Page("example.com", "/a/b")),
        ("https://shop.example.com:8443", Page("shop.example.com", "/")),
        ("http://example.com/%F0%9F%98%80", Page("example.com", "/%F0%9F%98%80")),
        ("", Page("", "")),
    ],
)
def test_a_page_is_host_and_path_without_query_and_fragment(url: str, page: Page) -> None:
    assert after(read_page, draft(url=url)).page == page


def test_a_query_is_kept_of_the_names_that_the_site_allows() -> None:
    settings = SiteSettings(query_params=("id", "tab"))
    found = after(
        read_page, draft(url="https://example.com/p?tab=2&email=a@b&id=7", settings=settings)
    )
    assert found.page.page == "/p?id=7&tab=2"


@pytest.mark.parametrize(
    ("query", "campaign"),
    [
        (
            "utm_source=news&utm_medium=email&utm_campaign=May%20sale&utm_term=t&utm_content=c",
            Campaign("news", "email", "May sale", "t", "c"),
        ),
        ("ref=HN", Campaign("HN")),
        ("source=www.google.com", Campaign("www.google.com")),
        ("ref=friend&source=Twitter", Campaign("Twitter")),
        ("ref=friend", Campaign()),
        ("ref=%00", Campaign()),
        ("source=alice@example.com", Campaign()),
        ("source=alice@mail.google.com", Campaign()),
        ("ref=alice.facebook.com", Campaign()),
        ("utm_source=alice&ref=hn", Campaign("alice")),
        ("gclid=secret", Campaign(click_id="gclid")),
        ("UTM_Source=A", Campaign("A")),
        ("q=%00", Campaign()),
        ("", Campaign()),
    ],
)
def test_a_campaign_is_its_tags_and_which_click_id_was_there(
    query: str, campaign: Campaign
) -> None:
    assert after(read_campaign, draft(url=f"https://example.com/?{query}")).campaign == campaign


@pytest.mark.parametrize(
    ("referrer", "query", "source", "channel"),
    [
        ("", "", "", "Direct"),
        ("https://example.com/other", "", "", "Direct"),
        ("https://blog.example.com/", "", "", "Direct"),
        ("https://www.google.de/", "", "Google", "Organic Search"),
        ("https://duckduckgo.com/", "", "DuckDuckGo", "Organic Search"),
        ("https://chatgpt.com/", "", "ChatGPT", "AI Assistants"),
        ("https://claude.ai/chat/1", "", "Claude", "AI Assistants"),
        ("https://www.perplexity.ai/search", "", "Perplexity", "AI Assistants"),
        ("https://gemini.google.com/app", "", "Gemini", "AI Assistants"),
        ("https://copilot.microsoft.com/", "", "Copilot", "AI Assistants"),
        ("", "utm_source=chatgpt.com", "ChatGPT", "AI Assistants"),
        ("https://t.co/abc", "", "X", "Organic Social"),
        ("https://m.facebook.com/", "fbclid=1", "Facebook", "Organic Social"),
        ("https://www.youtube.com/", "", "YouTube", "Organic Video"),
        ("https://mail.google.com/", "", "Gmail", "Email"),
        ("", "utm_source=May&utm_medium=email", "May", "Email"),
        ("https://www.google.com/", "gclid=1", "Google", "Paid Search"),
        ("", "gclid=1", "Google", "Paid Search"),
        ("", "utm_source=google&utm_medium=cpc", "Google", "Paid Search"),
        ("", "utm_source=facebook&utm_medium=paid", "Facebook", "Paid Social"),
        ("", "utm_source=shop&utm_medium=cpc", "shop", "Paid Other"),
        ("", "utm_source=shop&utm_medium=display", "shop", "Display"),
        ("https://friend.example/post?secret=1", "", "friend.example", "Referral"),
        ("https://google.com/", "utm_source=partner", "partner", "Referral"),
        ("not an address", "", "", "Direct"),
        ("https://[bad", "", "", "Direct"),
        ("javascript:alert(1)", "", "", "Direct"),
    ],
)
def test_a_visit_comes_from_a_source_by_a_channel(
    referrer: str, query: str, source: str, channel: str
) -> None:
    before = draft(url=f"https://example.com/?{query}", referrer=referrer)
    found = after(find_source, after(read_campaign, after(read_page, before))).referral
    assert (found.source, found.channel) == (source, channel)


def test_a_referrer_is_stored_without_query() -> None:
    found = after(
        find_source, after(read_page, draft(referrer="https://www.friend.example/post?secret=1#x"))
    )
    assert found.referral.referrer == "friend.example/post"


@pytest.mark.parametrize(
    ("accept", "language"),
    [("de-CH,de;q=0.9", "de"), ("EN", "en"), ("gsw", "gsw"), ("*", ""), ("", ""), ("<b>", "")],
)
def test_the_language_is_the_first_tag_asked_for(accept: str, language: str) -> None:
    assert first_language(accept) == language


@pytest.mark.parametrize(
    ("width", "name"),
    [(0, ""), (1, "mobile"), (575, "mobile"), (576, "tablet"), (992, "laptop"), (1440, "desktop")],
)
def test_a_screen_has_a_class_by_its_width(width: int, name: str) -> None:
    assert class_of(width) == name


def test_a_visitor_is_the_same_for_one_address_agent_site_and_salt_alone() -> None:
    salt = bytes(32)
    same = visitor_id("203.0.113.7", CHROME, 1, salt)
    assert same == visitor_id("203.0.113.7", CHROME, 1, salt)
    others = {
        visitor_id("203.0.113.8", CHROME, 1, salt),
        visitor_id("203.0.113.7", IPHONE, 1, salt),
        visitor_id("203.0.113.7", CHROME, 2, salt),
        visitor_id("203.0.113.7", CHROME, 1, b"x" * 32),
    }
    assert same not in others
    assert len(others) == 4


def test_an_event_without_an_address_has_no_visitor() -> None:
    assert after(add_visitor, draft(ip="", when=When(salt=bytes(32)))).visitor is None


def test_money_is_kept_in_thousandths() -> None:
    revenue = Revenue(Decimal("12.345"), "EUR")
    items = [Item("a", "A", Decimal("0.1"), 2)]
    money = after(read_money, draft(revenue=revenue, items=items)).money
    assert (money.revenue, money.currency) == (12_345, "EUR")
    assert money.items is not None
    assert msgspec.json.decode(money.items) == [
        {"sku": "a", "name": "A", "quantity": 2, "price": 100}
    ]


def test_props_are_kept_by_the_sites_list() -> None:
    event = draft(props={"plan": "pro", "email": "x"}, settings=SiteSettings(props=("plan",)))
    assert after(read_props, event).props == b'{"plan":"pro"}'
    assert after(read_props, draft(props={"plan": "pro"})).props == b'{"plan":"pro"}'


def test_a_user_id_is_kept_only_where_the_site_allows_it() -> None:
    assert after(keep_user, draft(user_id="u1")).user_id is None
    allowing = SiteSettings(allow_user_id=True)
    assert after(keep_user, draft(user_id="u1", settings=allowing)).user_id == "u1"


def test_an_excluded_address_is_dropped() -> None:
    settings = SiteSettings(excluded=("203.0.113.0/24", "2001:db8::/32"))
    for ip in ("203.0.113.7", "2001:db8::1"):
        assert after(drop_excluded, draft(ip=ip, settings=settings)).dropped == Dropped("excluded")
    assert after(drop_excluded, draft(ip="198.51.100.1", settings=settings)).dropped is None


def test_what_is_past_retention_is_dropped() -> None:
    assert after(drop_expired, draft(when=When(expired=True))).dropped == Dropped("retention")
    assert after(drop_expired, draft()).dropped is None


def test_a_place_is_read_from_flat_records(tmp_path: Path) -> None:
    record = {"country_code": "CH", "state1": "Bern", "city": "Thun"}
    write_mmdb(tmp_path / "city-ipv4.mmdb", {"203.0.113.0/24": record})
    write_mmdb(tmp_path / "country.mmdb", {"198.51.100.0/24": {"country_code": "DE"}})
    geo = Geo(tmp_path)
    assert geo.find("203.0.113.7") == Place("CH", "Bern", "Thun")
    assert geo.find("198.51.100.9") == Place("DE")
    for unknown in ("192.0.2.1", "2001:db8::1", "nonsense", ""):
        assert geo.find(unknown) == Place()


def test_a_place_is_read_from_nested_records() -> None:
    record = {
        "country": {"iso_code": "CH"},
        "subdivisions": [{"names": {"en": "Bern"}}],
        "city": {"names": {"en": "Thun"}},
    }
    assert read_place(record) == Place("CH", "Bern", "Thun")
    assert read_place({"registered_country": {"iso_code": "DE"}}) == Place("DE")
    assert read_place({}) == Place()


def test_missing_geo_files_leave_places_empty_until_they_come(tmp_path: Path) -> None:
    geo = Geo(tmp_path)
    event = draft()
    assert after(geo.locate, event).place == Place()
    write_mmdb(tmp_path / "country.mmdb", {"203.0.113.0/24": {"country_code": "CH"}})
    geo.reload()
    assert after(geo.locate, event).place == Place("CH")


def test_a_broken_geo_file_counts_as_missing(tmp_path: Path) -> None:
    (tmp_path / "country.mmdb").write_bytes(b"broken")
    assert Geo(tmp_path).find("203.0.113.7") == Place()


def test_a_step_that_fails_on_one_event_leaves_its_neighbours_alone(tmp_path: Path) -> None:
    def fail_on_poison(drafts: Sequence[Draft]) -> None:
        for event in drafts:
            if event.beacon.title == "poison":
                raise ValueError(event.beacon.title)

    drafts = [draft(title=title) for title in ("a", "poison", "b")]
    pipeline = (Step("failing", fail_on_poison), *steps(Geo(tmp_path), Bots()))
    done = enrich(drafts, pipeline)
    assert [event.beacon.title for event in done.drafts] == ["a", "b"]
    assert all(event.agent != Agent() for event in done.drafts)
    [unfit] = done.unfit
    assert (unfit.why.reason, unfit.why.detail) == (FAILED, "failing: ValueError")


def test_an_event_stops_at_its_first_drop(tmp_path: Path) -> None:
    settings = SiteSettings(excluded=("203.0.113.0/24",))
    done = enrich([draft(settings=settings), draft()], steps(Geo(tmp_path), Bots()))
    assert [left.why.reason for left in done.dropped] == ["excluded"]
    assert len(done.drafts) == 1


def test_what_is_remembered_is_bounded_and_found_once() -> None:
    asked: list[str] = []

    def ask(text: str) -> str:
        asked.append(text)
        return text.upper()

    remembered = Remembered[str, str](ask, 4)
    for text in "abcda":
        assert remembered[text] == text.upper()
    assert asked == list("abcd")
    assert remembered["e"] == "E"
    assert remembered["d"] == "D"
    assert asked == list("abcde")
