"""One visit: who comes, from where, which pages, how long on each, and what is done there."""

from random import Random
from typing import NamedTuple

import msgspec

from infrastructure.traffic.browsers import pick_browser
from infrastructure.traffic.countries import pick_address, pick_country
from infrastructure.traffic.site_map import PAGES, PRICES, pick_entry, pick_next
from infrastructure.traffic.sources import Source, pick_source

_STAYS = 0.68
_DWELL_MU = 2.7  # of a lognormal: half of all pages are left within 15 s
_DWELL_SIGMA = 0.9
_MAX_PAGES = 25


class Visitor(NamedTuple):
    """Who sends: what the request's headers say. ``width``: of the window."""

    address: str
    user_agent: str
    language: str
    width: int


class Purchase(msgspec.Struct, frozen=True):
    """A decimal, as text, in a currency."""

    amount: str
    currency: str = "EUR"


class PageEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the tracker fills in of the ingest contract, but for `id` and `age_ms`."""

    site: str
    url: str
    title: str
    width: int
    name: str = "pageview"
    referrer: str = ""
    props: dict[str, str] = {}
    revenue: Purchase | None = None


class Planned(NamedTuple):
    """One event to come, ``at_s`` after the beginning of the traffic."""

    at_s: float
    visitor: Visitor
    event: PageEvent


def new_visitor(rng: Random, utc_hour: float) -> Visitor:
    """Somebody new, out of those who are awake."""
    country = pick_country(rng, utc_hour)
    browser = pick_browser(rng)
    return Visitor(
        pick_address(rng, country), browser.user_agent, country.language, rng.choice(browser.widths)
    )


def plan_visit(
    rng: Random, site: str, visitor: Visitor, at_s: float, source: Source | None = None
) -> list[Planned]:
    """The events of one visit that begins at `at_s`, in order; `source`: else any."""
    source = source or pick_source(rng)
    path = rng.choice(source.landing) if source.landing else pick_entry(rng)
    base = f"https://{site}"
    query, referrer = source.query and f"?{source.query}", source.referrer
    planned: list[Planned] = []
    for _ in range(_MAX_PAGES):
        url = base + path + query
        event = PageEvent(site, url, PAGES[path].title, visitor.width, referrer=referrer)
        planned.append(Planned(at_s, visitor, event))
        dwell_s = rng.lognormvariate(_DWELL_MU, _DWELL_SIGMA)
        if (deed := _deed(rng, path, event)) is not None:
            planned.append(Planned(at_s + dwell_s * 0.6, visitor, deed))
        if rng.random() > _STAYS:
            break
        # As the tracker: within the site the referrer is the page before.
        at_s, referrer, query, path = at_s + dwell_s, url, "", pick_next(rng, path)
    return planned


def _deed(rng: Random, path: str, event: PageEvent) -> PageEvent | None:
    """What is done on a page beside reading it."""
    if path == "/thanks":
        return _purchase(rng, event)
    if path.startswith("/blog/") and rng.random() < 0.06:
        return msgspec.structs.replace(event, name="signup", props={"list": "harvest"}, referrer="")
    if path.startswith("/shop/") and rng.random() < 0.25:
        item = path.removeprefix("/shop/")
        return msgspec.structs.replace(
            event, name="add to basket", props={"item": item}, referrer=""
        )
    return None


def _purchase(rng: Random, event: PageEvent) -> PageEvent:
    total = sum(PRICES[rng.choice(list(PRICES))] for _ in range(rng.randint(1, 4)))
    return msgspec.structs.replace(
        event, name="purchase", revenue=Purchase(f"{total:.2f}"), referrer=""
    )
