"""What the benchmarks of questions are asked about: sites with seeded visits, day by day.

Pages, sources and places are as uneven as they are on a real site: some of each have most of it.
One country has a tenth of the visits and one browser six tenths, for the filters.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Generic, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from shared.clock import US_PER_SECOND
from tests.tiny_mmdb import write_mmdb

T = TypeVar("T")

COUNTRY, BROWSER = "FR", "Chrome"
"""A tenth and six tenths of all visits."""

_OTHER_COUNTRIES = (
    "US", "DE", "GB", "IN", "NL", "CA", "BR", "ES", "IT", "JP", "AU", "PL", "SE", "MX", "CH",
    "KR", "TR", "ZA", "AR", "BE", "AT", "DK", "NO", "FI", "PT", "CZ", "IE", "GR", "SG",
)  # fmt: skip
_FIRST_OCTET = 20
_PAGES = 5_000
_HOSTS = 300
_EVENTS_A_VISIT = 1.98
_RETURNS = 0.12
_ENGAGED = 0.13
_DOES_MORE = 0.08
_HOUR_S = 3_525
_MINUTE_S = 60

_VIEWS = ((1, 68), (2, 16), (3, 7), (4, 4), (5, 3), (8, 2))
_GOALS = ("Signup", "Download", "Outbound Link: Click", "Search", "404")
_LANGUAGES = ("en-US,en;q=0.9", "de-DE,de;q=0.9", "fr-FR,fr;q=0.9", "es-ES", "pt-BR,pt;q=0.8")
_WIDTHS = (360, 390, 412, 768, 1280, 1440, 1920, 2560)
_BUSYNESS = (3, 2, 1, 1, 1, 2, 4, 7, 10, 12, 13, 13, 12, 13, 14, 14, 13, 12, 12, 13, 14, 12, 8, 5)
_BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
_DESKTOPS = (
    ("Windows NT 10.0; Win64; x64", 36),
    ("Macintosh; Intel Mac OS X 10_15_7", 17),
    ("X11; Linux x86_64", 7),
)


class MadeSite(NamedTuple):
    """``events_a_day``: about; ``zone``: its days are those of this zone."""

    key: str
    zone: str
    events_a_day: int


class Captured(NamedTuple):
    """One beacon. ``received_at``: µs since the epoch."""

    received_at: int
    site: str
    ip: str
    user_agent: str
    language: str
    body: bytes


class _Weighted(Generic[T]):
    """Things to choose from, many at a time."""

    def __init__(self, pairs: Iterable[tuple[T, float]]) -> None:
        self._things, weights = zip(*pairs, strict=True)
        self._sums = list(accumulate(weights))

    def choose(self, rng: Random, count: int) -> list[T]:
        return rng.choices(self._things, cum_weights=self._sums, k=count)


def beacons_of(site: MadeSite, day: date) -> list[Captured]:
    """Everything of one of the site's own days, in order of time; the same at every call."""
    rng = Random(f"{site.key} {day} {site.events_a_day}")
    begins = datetime.combine(day, time(), ZoneInfo(site.zone)).timestamp()
    found = [each for visit in _visits(rng, site) for each in _beacons(rng, site, begins, visit)]
    found.sort()
    return found


def write_places(folder: Path) -> None:
    """The file by which the writer knows where the visitors are."""
    folder.mkdir(parents=True, exist_ok=True)
    records = {}
    for number, code in enumerate(_COUNTRY_CODES):
        for part in range(8):
            network = f"{_FIRST_OCTET + number}.{part * 32}.0.0/11"
            region = f"{code} region {part // 2}"
            place = {"country_code": code, "state1": region, "city": f"{code} city {part}"}
            records[network] = place
    write_mmdb(folder / "city-ipv4.mmdb", records)


class _Visit(NamedTuple):
    """``starts_s``: within the day."""

    starts_s: float
    ip: str
    user_agent: str
    language: str
    source: tuple[str, str]
    views: int


def _visits(rng: Random, site: MadeSite) -> Iterator[_Visit]:
    count = round(site.events_a_day / _EVENTS_A_VISIT)
    hours = rng.choices(range(24), _BUSYNESS, k=count)
    countries = _COUNTRIES.choose(rng, count)
    agents = _AGENTS.choose(rng, count)
    sources = _SOURCES.choose(rng, count)
    views = _VIEW_COUNTS.choose(rng, count)
    known: list[tuple[str, str, str]] = []
    for at in range(count):
        if known and rng.random() < _RETURNS:
            ip, agent, language = known[int(rng.random() * len(known))]
        else:
            ip, agent = _address(rng, countries[at]), agents[at]
            language = _LANGUAGES[rng.getrandbits(8) % len(_LANGUAGES)]
            known.append((ip, agent, language))
        # The last half hour is kept free, so that few visits pass midnight.
        starts_s = (hours[at] + rng.random()) * _HOUR_S
        yield _Visit(starts_s, ip, agent, language, sources[at], views[at])


def _beacons(rng: Random, site: MadeSite, begins: float, visit: _Visit) -> Iterator[Captured]:
    at = begins + visit.starts_s
    referrer, query = visit.source
    width = _WIDTHS[len(visit.ip) * visit.views % len(_WIDTHS)]
    for path, title in _PAGE_CHOICE.choose(rng, visit.views):
        where = f'"url":"https://{site.key}{path}{query}","title":"{title}"'
        yield _made(site, visit, at, f'{where},"referrer":"{referrer}","width":{width}')
        referrer = query = ""
        stayed_s = 4 + rng.expovariate(1 / _MINUTE_S)
        if rng.random() < _ENGAGED:
            engaged = f'"engaged_ms":{int(stayed_s * 900)},"scroll_pct":{rng.getrandbits(20) % 101}'
            yield _made(site, visit, at + stayed_s - 1, f'{where},"name":"engagement",{engaged}')
        at += min(stayed_s, 20 * _MINUTE_S)
    if rng.random() < _DOES_MORE:
        name = _GOALS[int(len(_GOALS) * rng.random() ** 2)]
        yield _made(site, visit, at, f'{where},"name":"{name}","width":{width}')


def _made(site: MadeSite, visit: _Visit, at: float, fields: str) -> Captured:
    return Captured(
        int(at * US_PER_SECOND),
        site.key,
        visit.ip,
        visit.user_agent,
        visit.language,
        f'{{"site":"{site.key}",{fields}}}'.encode(),
    )


def _address(rng: Random, country: int) -> str:
    bits = rng.getrandbits(24)
    return f"{country}.{bits >> 16}.{bits >> 8 & 255}.{bits & 255}"


def _agents() -> Iterator[tuple[str, float]]:
    """User agents; desktop Chrome has six tenths."""
    for system, share in _DESKTOPS:
        for version in range(136, 143):
            yield (
                f"Mozilla/5.0 ({system}) {_WEBKIT} Chrome/{version}.0.0.0 Safari/537.36",
                share / 7,
            )
    phone = "Mozilla/5.0 (iPhone; CPU iPhone OS {0}_5 like Mac OS X) AppleWebKit/605.1.15"
    safari = " (KHTML, like Gecko) Version/{0}.5 Mobile/15E148 Safari/604.1"
    for version in range(15, 20):
        yield (phone + safari).format(version), 4.4
    for version in range(138, 146):
        gecko = f"rv:{version}.0) Gecko/20100101 Firefox/{version}.0"
        yield f"Mozilla/5.0 (Windows NT 10.0; Win64; x64; {gecko}", 1
    chrome = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_WEBKIT} Chrome/142.0.0.0 Safari/537.36"
    for version in range(138, 143):
        yield f"{chrome} Edg/{version}.0.0.0", 1.8
    yield _BOT, 1


def _sources() -> Iterator[tuple[tuple[str, str], float]]:
    """(referrer, query of the first page's address)."""
    yield ("", ""), 35
    yield ("https://www.google.com/", ""), 26
    for host in ("www.bing.com", "duckduckgo.com", "t.co", "www.reddit.com", "l.facebook.com"):
        yield (f"https://{host}/", ""), 3
    for number in range(1, 41):
        tags = f"?utm_source=news&utm_medium=email&utm_campaign=letter-{number}"
        yield ("", tags), 8 / 40
    for number in range(1, _HOSTS + 1):
        yield (f"https://site-{number}.example/links/{number % 7}", ""), 16 / (6.3 * number)


_COUNTRY_CODES = (COUNTRY, *_OTHER_COUNTRIES)
_COUNTRIES = _Weighted(
    [
        (_FIRST_OCTET, 10.0),
        *(
            (_FIRST_OCTET + number, 90 / 3.96 / number)
            for number in range(1, len(_OTHER_COUNTRIES) + 1)
        ),
    ]
)
"""The first octet of each country's addresses."""
_AGENTS = _Weighted(_agents())
_SOURCES = _Weighted(_sources())
_VIEW_COUNTS = _Weighted(_VIEWS)
_PAGE_CHOICE = _Weighted(
    [
        ((f"/section-{n % 41}/article-{n}", f"Article {n} of the site"), 1 / (n + 1) ** 1.05)
        for n in range(_PAGES)
    ]
)


def days(first: date, count: int) -> list[date]:
    """``count`` of them."""
    return [first + timedelta(days=n) for n in range(count)]
