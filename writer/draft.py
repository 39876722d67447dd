"""An event on its way from envelope to row.

A draft changes only inside the runner of the steps, one field a step; what is put into it never
does (decision 0013).
"""

from typing import NamedTuple
from uuid import UUID

import msgspec

from shared.batch import Header
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


class Place(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """Where a client address is: ISO country, then names; empty where it is not known."""

    country: str = ""
    region: str = ""
    city: str = ""


class Agent(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """What a user agent says of itself; versions are the major number."""

    browser: str = ""
    browser_version: str = ""
    os: str = ""
    os_version: str = ""
    device: str = ""


class Page(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """Host and path of the page; ``page`` holds a query only of names that the site allows."""

    hostname: str = ""
    page: str = ""


class Campaign(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """UTM tags as they were sent, and which kind of click id was there."""

    source: str = ""
    medium: str = ""
    campaign: str = ""
    term: str = ""
    content: str = ""
    click_id: str = ""


class Referral(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """Where a visit came from. ``referrer``: host and path."""

    referrer: str = ""
    source: str = ""
    channel: str = ""


class Money(NamedTuple):
    """``revenue`` in thousandths of the currency's unit; ``items`` as JSON."""

    revenue: int | None = None
    currency: str | None = None
    items: bytes | None = None


NO_MONEY = Money()


class Dropped(NamedTuple):
    """An event left out on purpose; only a count remains."""

    reason: str


class When(msgspec.Struct, gc=False):
    """Where instants from ``starts_at`` to before ``ends_at`` (µs) lie in a site's time.

    ``day`` counts days since 1970-01-01. ``expired``: they are past the site's retention.
    ``salt``: of the site's day, for events with an address to be hashed.
    """

    day: int = 0
    hour: int = 0
    starts_at: int = 0
    ends_at: int = 0
    expired: bool = False
    salt: bytes | None = None


UNPLACED = When()
"""Of a draft that the preparer has not looked at yet; never written to."""


class Draft(msgspec.Struct, gc=False):
    """One event. Times are microseconds since the epoch.

    ``nth`` is its place in the batch, ``taken`` in the body's array. ``ip``, ``user_agent`` and
    ``accept`` (the languages asked for) are of whom the event is about: of the connection, or for
    a keyed call what the event itself names. What has a default is written by a step.
    """

    header: Header
    envelope: Envelope
    nth: int
    taken: int
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
    accept: str
    when: When
    dropped: Dropped | None = None
    bot: str | None = None
    place: Place = Place()
    agent: Agent = Agent()
    page: Page = Page()
    campaign: Campaign = Campaign()
    referral: Referral = Referral()
    language: str = ""
    screen: str = ""
    visitor: int | None = None
    money: Money = NO_MONEY
    props: bytes | None = None
    vitals: bytes | None = None
    user_id: str | None = None

    @property
    def origin(self) -> Origin:
        """Which event of which batch it is."""
        header = self.header
        return Origin(header.edge, header.boot, header.seq, self.nth, self.envelope, self.taken)

    @property
    def day(self) -> int:
        """The site-local day, counted since 1970-01-01."""
        return self.when.day


class SetAside(NamedTuple):
    """An event for the quarantine. ``detail`` holds nothing a client wrote."""

    reason: str
    detail: str = ""
