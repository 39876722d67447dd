"""Lines of access logs: what is read from them, and which of them count."""

from datetime import UTC, datetime

import pytest

from infrastructure.replay.access_line import AccessLine, read_line
from infrastructure.replay.counting import Counting, Verdict

NGINX = (
    b"203.0.113.9 - - [22/Nov/2026:16:07:54 +0000] "
    b'"GET /shop?utm_source=x HTTP/1.1" 200 512 "https://www.google.com/" "Mozilla/5.0 (X11)"\n'
)


def read(line: bytes) -> AccessLine:
    parsed = read_line(line)
    assert parsed is not None
    return parsed


def epoch_ms(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp() * 1000)  # type: ignore[misc, arg-type]


def test_a_combined_line_gives_every_field() -> None:
    assert read(NGINX) == AccessLine(
        host="",
        address="203.0.113.9",
        ts_ms=epoch_ms(2026, 11, 22, 16, 7, 54),
        method="GET",
        target="/shop?utm_source=x",
        status=200,
        referrer="https://www.google.com/",
        user_agent="Mozilla/5.0 (X11)",
    )


def test_a_zone_other_than_utc_is_taken_into_account() -> None:
    line = read(NGINX.replace(b"16:07:54 +0000", b"16:07:54 -0530"))
    assert line.ts_ms == epoch_ms(2026, 11, 22, 21, 37, 54)


def test_a_virtual_host_before_the_address_is_the_host() -> None:
    line = read(b"Shop.example:443 " + NGINX)
    assert (line.host, line.address) == ("shop.example", "203.0.113.9")


def test_a_signed_in_user_with_spaces_in_the_name_is_no_virtual_host() -> None:
    line = read(NGINX.replace(b"- - [", b"- John Smith ["))
    assert (line.host, line.address) == ("", "203.0.113.9")


def test_an_ipv6_address_is_read() -> None:
    assert read(NGINX.replace(b"203.0.113.9", b"2001:db8::7")).address == "2001:db8::7"


def test_fields_of_ones_own_after_the_user_agent_are_passed_over() -> None:
    assert read(NGINX.rstrip() + b' "198.51.100.1" rt=0.004\n').user_agent == "Mozilla/5.0 (X11)"


@pytest.mark.parametrize(
    ("logged", "meant"),
    [
        (rb"say \"hi\"", 'say "hi"'),  # Apache
        (rb"say \x22hi\x22", 'say "hi"'),  # nginx
        (rb"caf\xC3\xA9", "café"),
        (b"caf\xc3\xa9", "café"),
        (rb"back\\slash", "back\\slash"),
        (b"broken \xff", "broken �"),
    ],
)
def test_what_a_server_escaped_is_read_as_the_client_sent_it(logged: bytes, meant: str) -> None:
    assert read(NGINX.replace(b"Mozilla/5.0 (X11)", logged)).user_agent == meant


def test_a_dash_stands_for_nothing() -> None:
    assert read(NGINX.replace(b"https://www.google.com/", b"-")).referrer == ""


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"\x00\xff\xfe",
        b"2026-11-22 16:07:54 GET / 200",
        NGINX.replace(b"22/Nov/2026", b"31/Feb/2026"),
        NGINX.replace(b"Nov", b"Nof"),
        NGINX.replace(b"+0000", b"+9999"),
        NGINX[:90],
        b'203.0.113.9 - - [22/Nov/2026:16:07:54 +0000] "GET / HTTP/1.1" 200 512\n',
    ],
)
def test_a_line_of_another_form_is_unreadable_and_no_more(line: bytes) -> None:
    assert read_line(line) is None


@pytest.mark.parametrize("filler", [b"[", b'"', b"\\", b"- ", b"a ", b'[22/Nov/2026] "'])
def test_a_hostile_line_is_given_up_at_once(filler: bytes) -> None:
    assert read_line(b"203.0.113.9 - " + filler * 20_000) is None


# --- which lines count -------------------------------------------------------------------------


def counting(*include: str) -> Counting:
    return Counting("example.com", lambda agent: "bot" in agent, include)


def line(**changed: object) -> AccessLine:
    return read(NGINX)._replace(**changed)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({}, Verdict.COUNTED),
        ({"status": 206}, Verdict.COUNTED),
        ({"status": 304}, Verdict.COUNTED),
        ({"status": 301}, Verdict.ERROR),
        ({"status": 404}, Verdict.ERROR),
        ({"status": 500, "target": "/a.css"}, Verdict.ERROR),
        ({"method": "POST"}, Verdict.OTHER_METHOD),
        ({"method": "HEAD"}, Verdict.OTHER_METHOD),
        ({"target": "/style.CSS?v=3"}, Verdict.ASSET),
        ({"target": "/robots.txt"}, Verdict.ASSET),
        ({"target": "/about.html"}, Verdict.COUNTED),
        ({"target": "/release/1.2"}, Verdict.COUNTED),
        ({"target": "/search?q=a.css"}, Verdict.COUNTED),
        ({"user_agent": "a bot"}, Verdict.BOT),
        ({"user_agent": "a bot", "target": "/a.png"}, Verdict.ASSET),
        ({"host": "www.example.com"}, Verdict.COUNTED),
        ({"target": "/?q=" + "x" * 3_000}, Verdict.COUNTED),
        ({"target": "/" + "x" * 3_000}, Verdict.OUT_OF_BOUNDS),
        ({"target": "/" + "ü" * 1_000}, Verdict.OUT_OF_BOUNDS),
        ({"ts_ms": 0}, Verdict.OUT_OF_BOUNDS),
        ({"ts_ms": 9_999_999_999_999}, Verdict.OUT_OF_BOUNDS),
        ({"host": "other.example"}, Verdict.OTHER_HOST),
        ({"method": "", "target": "", "status": 400}, Verdict.ERROR),
        ({"method": "", "target": "", "status": 200}, Verdict.UNREADABLE),
    ],
)
def test_each_line_gets_one_verdict(changed: dict[str, object], verdict: Verdict) -> None:
    assert counting().verdict(line(**changed)) is verdict


@pytest.mark.parametrize("pattern", ["pdf", ".pdf", "*.pdf", "/files/*"])
def test_include_counts_assets_by_extension_or_glob(pattern: str) -> None:
    assert counting(pattern).verdict(line(target="/files/a.pdf")) is Verdict.COUNTED
    assert counting(pattern).verdict(line(target="/a.css")) is Verdict.ASSET


def test_bytes_that_are_not_http_are_an_error_when_the_server_said_so() -> None:
    garbage = NGINX.replace(b"GET /shop?utm_source=x HTTP/1.1", rb"\x16\x03\x01").replace(
        b"200", b"400"
    )
    assert counting().verdict(read_line(garbage)) is Verdict.ERROR
