"""One event as a client may send it, and every limit on it.

Lengths are bytes of UTF-8. What is out of bounds is a fault, never clamped.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from ipaddress import ip_address
from urllib.parse import urlsplit
from uuid import UUID

import msgspec

from shared.clock import US_PER_DAY, US_PER_MS, US_PER_SECOND
from shared.errors import Code, Fault

PAGEVIEW = "pageview"
ENGAGEMENT = "engagement"

MAX_SITE = 253
MAX_NAME = 120
MAX_URL = 2048
MAX_TITLE = 300
MAX_PROPS = 30
MAX_PROP_KEY = 300
MAX_PROP_VALUE = 2048
MAX_ITEMS = 30
MAX_ITEM_TEXT = 300
MAX_USER_ID = 200
MAX_USER_AGENT = 1024
MAX_VITALS = 10
MAX_VITAL_KEY = 20
MAX_AGE_MS = 24 * 3_600_000
MAX_ENGAGED_MS = 24 * 3_600_000
MAX_WIDTH = 100_000
MAX_AMOUNT = Decimal(10) ** 12
MAX_AHEAD_US = 300 * US_PER_SECOND
EARLIEST_IMPORT_US = 946_684_800 * US_PER_SECOND  # 2000-01-01, before any access log worth reading

KEYED_FIELDS = ("ts", "ip", "user_agent")

Scalar = str | int | float | bool | None


class Revenue(msgspec.Struct, frozen=True):
    """A decimal of at most three places, in a currency by its ISO 4217 code."""

    amount: Decimal
    currency: str


class Item(msgspec.Struct, frozen=True):
    """One line of a basket; ``price`` is per piece, in the revenue's currency."""

    sku: str = ""
    name: str = ""
    price: Decimal | None = None
    quantity: int = 1


class Beacon(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One event, decoded. ``ts``, ``ip`` and ``user_agent`` go with a secret key alone."""

    site: str
    name: str = PAGEVIEW
    url: str = ""
    referrer: str = ""
    title: str = ""
    id: UUID | None = None
    props: dict[str, Scalar] = {}
    revenue: Revenue | None = None
    items: list[Item] = []
    interactive: bool | None = None
    engaged_ms: int | None = None
    scroll_pct: int | None = None
    vitals: dict[str, float] = {}
    width: int | None = None
    user_id: str | None = None
    age_ms: int = 0
    ts: str | int | None = None
    ip: str | None = None
    user_agent: str | None = None

    @property
    def is_interactive(self) -> bool:
        """True unless the client said otherwise; an engagement never is."""
        if self.interactive is None:
            return self.name != ENGAGEMENT
        return self.interactive and self.name != ENGAGEMENT


class Caller(msgspec.Struct, frozen=True):
    """What the times and fields of a request are judged by.

    ``received_at`` in microseconds; ``keyed``: it came with a secret key; ``may_import``: that
    key has the import scope, or could not be checked here and the writer will judge.
    """

    received_at: int
    keyed: bool = False
    may_import: bool = False


def fault_of(beacon: Beacon, caller: Caller) -> Fault | None:
    """The first thing wrong with a beacon of the right types, or None."""
    if is_plainly_sound(beacon):
        return None
    for check in _CHECKS:
        fault = check(beacon)
        if fault is not None:
            return fault
    if caller.keyed:
        return _keyed_fault(beacon, caller)
    if beacon.ts is not None or beacon.ip is not None or beacon.user_agent is not None:
        field = next(name for name in KEYED_FIELDS if getattr(beacon, name) is not None)
        return Fault(
            Code.NEEDS_KEY, f"`{field}` is taken from calls with a secret key only", field=field
        )
    return None


def is_plainly_sound(beacon: Beacon) -> bool:
    """Whether the usual beacon is beyond doubt, whoever sends it.

    False says nothing yet. Four bytes a character are the most that UTF-8 takes.
    """
    return (
        0 < len(beacon.site) <= MAX_SITE // 4
        and 0 < len(beacon.name) <= MAX_NAME // 4
        and len(beacon.title) <= MAX_TITLE // 4
        and len(beacon.referrer) <= MAX_URL // 4
        and len(beacon.url) <= MAX_URL
        and _PLAIN_URL(beacon.url) is not None
        and not beacon.items
        and not beacon.vitals
        and beacon.revenue is None
        and beacon.user_id is None
        and (beacon.width is None or 0 <= beacon.width <= MAX_WIDTH)
        and (beacon.engaged_ms is None or 0 <= beacon.engaged_ms <= MAX_ENGAGED_MS)
        and (beacon.scroll_pct is None or 0 <= beacon.scroll_pct <= 100)
        and 0 <= beacon.age_ms <= MAX_AGE_MS
        and beacon.ts is None
        and beacon.ip is None
        and beacon.user_agent is None
        and (not beacon.props or _props_fault(beacon) is None)
    )


def happened_at(beacon: Beacon, received_at: int, keyed: bool) -> int:
    """When it happened, in microseconds, from the envelope alone."""
    if keyed and beacon.ts is not None:
        ts_us = read_ts(beacon.ts)
        if ts_us is not None:
            return ts_us
    return received_at - beacon.age_ms * US_PER_MS


def read_ts(ts: str | int) -> int | None:
    """Epoch microseconds of RFC 3339 text or epoch milliseconds; None if it is neither."""
    if isinstance(ts, int):
        return ts * US_PER_MS if abs(ts) < 1 << 50 else None
    try:
        moment = datetime.fromisoformat(ts)
    except ValueError:
        return None
    if moment.tzinfo is None or len(ts) < 20:
        return None
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * US_PER_SECOND + since.microseconds


def longer(text: str, limit: int) -> bool:
    """Whether the text takes more than ``limit`` bytes of UTF-8."""
    return len(text) * 4 > limit and len(text.encode()) > limit


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WEB_URL = re.compile(r"https?://[^/?#\s\\]+[^\s]*", re.IGNORECASE)
_ODD_HOST = re.compile(r"[^/]*//[^/?#]*[^a-zA-Z0-9.:/?#-]")
_PLAIN_URL = re.compile(r"https?://[a-zA-Z0-9.-]+(?::[0-9]+)?(?:[/?#][!-~]*)?").fullmatch
_CURRENCY = re.compile(r"[A-Z]{3}")


def _text_fault(beacon: Beacon) -> Fault | None:
    if not beacon.site:
        return Fault(Code.MISSING_FIELD, "`site` is missing", field="site")
    if not beacon.name:
        return Fault(Code.BAD_VALUE, "`name` is empty", field="name")
    if longer(beacon.site, MAX_SITE):
        return _too_long("site", MAX_SITE)
    if longer(beacon.name, MAX_NAME):
        return _too_long("name", MAX_NAME)
    if longer(beacon.title, MAX_TITLE):
        return _too_long("title", MAX_TITLE)
    if longer(beacon.referrer, MAX_URL):
        return _too_long("referrer", MAX_URL)
    if beacon.user_id is not None and longer(beacon.user_id, MAX_USER_ID):
        return _too_long("user_id", MAX_USER_ID)
    return None


def _url_fault(beacon: Beacon) -> Fault | None:
    url = beacon.url
    if not url:
        if beacon.name in (PAGEVIEW, ENGAGEMENT):
            return Fault(Code.MISSING_FIELD, f"a {beacon.name} needs its `url`", field="url")
        return None
    if longer(url, MAX_URL):
        return _too_long("url", MAX_URL)
    if not _WEB_URL.fullmatch(url) or (_ODD_HOST.match(url) and not _splits(url)):
        return Fault(Code.BAD_VALUE, "`url` is not an http or https address", field="url")
    return None


def _splits(url: str) -> bool:
    try:
        host = urlsplit(url).hostname
    except ValueError:
        return False
    return bool(host) and "%" not in str(host)


def _props_fault(beacon: Beacon) -> Fault | None:
    if not beacon.props:
        return None
    if len(beacon.props) > MAX_PROPS:
        return Fault(Code.TOO_MANY, f"more than {MAX_PROPS} props", field="props")
    for key, value in beacon.props.items():
        if longer(key, MAX_PROP_KEY):
            return Fault(Code.TOO_LONG, f"a key is over {MAX_PROP_KEY} bytes", field="props")
        if isinstance(value, str) and longer(value, MAX_PROP_VALUE):
            return Fault(Code.TOO_LONG, f"a value is over {MAX_PROP_VALUE} bytes", field="props")
    return None


def _number_fault(beacon: Beacon) -> Fault | None:
    for field, value, most in (
        ("age_ms", beacon.age_ms, MAX_AGE_MS),
        ("engaged_ms", beacon.engaged_ms, MAX_ENGAGED_MS),
        ("scroll_pct", beacon.scroll_pct, 100),
        ("width", beacon.width, MAX_WIDTH),
    ):
        if value is not None and not 0 <= value <= most:
            return Fault(Code.OUT_OF_RANGE, f"`{field}` is outside 0 to {most}", field=field)
    return None


def _vitals_fault(beacon: Beacon) -> Fault | None:
    if not beacon.vitals:
        return None
    if len(beacon.vitals) > MAX_VITALS:
        return Fault(Code.TOO_MANY, f"more than {MAX_VITALS} vitals", field="vitals")
    for key, value in beacon.vitals.items():
        if longer(key, MAX_VITAL_KEY):
            return Fault(Code.TOO_LONG, f"a name is over {MAX_VITAL_KEY} bytes", field="vitals")
        if not 0 <= value <= 1e9:
            return Fault(Code.OUT_OF_RANGE, "a vital is outside 0 to 1e9", field="vitals")
    return None


def _money_fault(beacon: Beacon) -> Fault | None:
    revenue = beacon.revenue
    if revenue is not None:
        if not _CURRENCY.fullmatch(revenue.currency):
            return Fault(
                Code.BAD_VALUE, "a currency has three capital letters", field="revenue.currency"
            )
        if not _is_money(revenue.amount):
            return Fault(Code.OUT_OF_RANGE, _MONEY, field="revenue.amount")
    if len(beacon.items) > MAX_ITEMS:
        return Fault(Code.TOO_MANY, f"more than {MAX_ITEMS} items", field="items")
    return next(_item_faults(beacon.items), None)


_MONEY = f"an amount is a decimal of at most three places, within ±{MAX_AMOUNT}"


def _item_faults(items: list[Item]) -> Iterator[Fault]:
    for item in items:
        if longer(item.sku, MAX_ITEM_TEXT) or longer(item.name, MAX_ITEM_TEXT):
            yield Fault(
                Code.TOO_LONG, f"`sku` or `name` is over {MAX_ITEM_TEXT} bytes", field="items"
            )
        if item.price is not None and not _is_money(item.price):
            yield Fault(Code.OUT_OF_RANGE, _MONEY, field="items.price")
        if not 0 <= item.quantity <= 1_000_000:
            yield Fault(
                Code.OUT_OF_RANGE, "`quantity` is outside 0 to 1000000", field="items.quantity"
            )


def _is_money(amount: Decimal) -> bool:
    # Compared and looked at only: arithmetic on a huge exponent raises.
    if not amount.is_finite() or not -MAX_AMOUNT <= amount <= MAX_AMOUNT:
        return False
    _, digits, exponent = amount.as_tuple()
    places = -int(exponent)
    return -12 <= places <= 3 or (places > 3 and not any(digits[-(places - 3) :]))


_CHECKS = (_text_fault, _url_fault, _props_fault, _number_fault, _vitals_fault, _money_fault)


def _keyed_fault(beacon: Beacon, caller: Caller) -> Fault | None:
    if beacon.ip is not None and not _is_address(beacon.ip):
        return Fault(Code.BAD_VALUE, "`ip` is not an address", field="ip")
    if beacon.user_agent is not None and longer(beacon.user_agent, MAX_USER_AGENT):
        return _too_long("user_agent", MAX_USER_AGENT)
    if beacon.ts is None:
        return None
    ts_us = read_ts(beacon.ts)
    if ts_us is None:
        return Fault(Code.BAD_VALUE, "`ts` is neither RFC 3339 nor epoch milliseconds", field="ts")
    earliest = EARLIEST_IMPORT_US if caller.may_import else caller.received_at - US_PER_DAY
    if not earliest <= ts_us <= caller.received_at + MAX_AHEAD_US:
        return Fault(Code.OUT_OF_RANGE, "`ts` is too far back or ahead", field="ts")
    return None


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _too_long(field: str, limit: int) -> Fault:
    return Fault(Code.TOO_LONG, f"`{field}` is over {limit} bytes", field=field)
