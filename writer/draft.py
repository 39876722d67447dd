"""An event on its way from envelope to row: immutable, each step returns a changed copy."""

from typing import NamedTuple
from uuid import UUID

import msgspec

from shared.beacon import Beacon
from shared.envelope import Envelope
from shared.sites import SiteSettings


class Origin(NamedTuple):
    """Which event of which batch it is, and the sound envelope it came in."""

    edge: str
    boot: int
    seq: int
    nth: int
    envelope: Envelope
    taken: int
    """Its place in the body's array."""


class Place(NamedTuple):
    """Where a client address is: ISO country, then names; empty where it is not known."""

    country: str = ""
    region: str = ""
    city: str = ""


class Agent(NamedTuple):
    """What a user agent says of itself; versions are the major number."""

    browser: str = ""
    browser_version: str = ""
    os: str = ""
    os_version: str = ""
    device: str = ""


class Page(NamedTuple):
    """Host and path of the page; ``page`` holds a query only of names that the site allows."""

    hostname: str = ""
    page: str = ""


class Campaign(NamedTuple):
    """UTM tags as they were sent, and which kind of click id was there."""

    source: str = ""
    medium: str = ""
    campaign: str = ""
    term: str = ""
    content: str = ""
    click_id: str = ""


class Referral(NamedTuple):
    """Where a visit came from. ``referrer``: host and path."""

    referrer: str = ""
    source: str = ""
    channel: str = ""


class Money(NamedTuple):
    """``revenue`` in thousandths of the currency's unit; ``items`` as JSON."""

    revenue: int | None = None
    currency: str | None = None
    items: bytes | None = None


class Draft(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One event. Times are microseconds since the epoch; ``day`` counts days since then.

    ``ip`` and ``user_agent`` are of whom the event is about: of the connection, or for a keyed
    call what the event itself names. ``kept_from``: an earlier event is past the site's
    retention. ``salt``: of the site's day, where the event has an address to be hashed.
    """

    origin: Origin
    beacon: Beacon
    site_id: int
    site: str
    settings: SiteSettings
    event_id: int
    is_derived: bool
    client_id: UUID | None
    received_at: int
    ts: int
    ip: str
    user_agent: str
    language: str
    kept_from: int = 0
    day: int = 0
    hour: int = 0
    salt: bytes | None = None
    bot: str | None = None
    place: Place = Place()
    agent: Agent = Agent()
    page: Page = Page()
    campaign: Campaign = Campaign()
    referral: Referral = Referral()
    screen: str = ""
    visitor: int | None = None
    money: Money = Money()
    props: bytes | None = None
    vitals: bytes | None = None
    user_id: str | None = None


class Dropped(NamedTuple):
    """An event left out on purpose; only a count remains."""

    reason: str


class SetAside(NamedTuple):
    """An event for the quarantine. ``detail`` holds nothing a client wrote."""

    reason: str
    detail: str = ""
