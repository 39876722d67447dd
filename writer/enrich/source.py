"""Where a visit came from: source and channel, by campaign tags first and referrer next."""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from writer.draft import Campaign, Draft, Referral
from writer.enrich.known_sources import EMAIL, SEARCH, SHOPPING, SOCIAL, VIDEO, known
from writer.enrich.remembered import Remembered

DIRECT = "Direct"
REFERRAL = "Referral"
_PAID = re.compile(r"^(.*cp.*|ppc|retargeting|paid.*)$")
_PAID_NAMES = {
    SEARCH: "Paid Search",
    SOCIAL: "Paid Social",
    VIDEO: "Paid Video",
    SHOPPING: "Paid Shopping",
}
_MEDIUMS = {
    "email": EMAIL,
    "e-mail": EMAIL,
    "newsletter": EMAIL,
    "social": SOCIAL,
    "social-network": SOCIAL,
    "sm": SOCIAL,
    "organic": SEARCH,
    "video": VIDEO,
    "affiliate": "Affiliates",
    "affiliates": "Affiliates",
    "referral": REFERRAL,
    "display": "Display",
    "banner": "Display",
    "cpm": "Display",
    "audio": "Audio",
    "sms": "SMS",
    "push": "Mobile Push Notifications",
}
# Only ids that an advertisement alone has: fbclid is on every link that leaves Facebook.
_CLICKS = {
    "gclid": ("Google", SEARCH),
    "gbraid": ("Google", SEARCH),
    "wbraid": ("Google", SEARCH),
    "msclkid": ("Bing", SEARCH),
    "yclid": ("Yandex", SEARCH),
    "dclid": ("Google", "Display"),
}


def split_referrer(referrer: str) -> tuple[str, str]:
    """(host without ``www.``, host and path) of a referrer; empty where there is none.

    Query and fragment go: they may hold what somebody typed.
    """
    if not referrer:
        return "", ""
    try:
        parts = urlsplit(referrer)
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:
        return "", ""
    if not host or parts.scheme not in ("http", "https", "android-app"):
        return "", ""
    return host, host + (parts.path if parts.path != "/" else "")


def referral_of(referrer: str, campaign: Campaign, page_host: str, site: str) -> Referral:
    """Referrer, source and channel. A referrer of the site itself is none."""
    host, address = split_referrer(referrer)
    if host and _is_own(host, page_host, site):
        host = address = ""
    return Referral(address, *describe(host, campaign))


_referral_of = Remembered[tuple[str, Campaign, str, str], Referral](
    lambda asked: referral_of(*asked), 50_000
)


def find_source(drafts: Sequence[Draft]) -> None:
    """Add where the visit came from."""
    for draft in drafts:
        draft.referral = _referral_of[
            draft.beacon.referrer, draft.campaign, draft.page.hostname, draft.site
        ]


def _is_own(host: str, page_host: str, site: str) -> bool:
    return host in (page_host, site) or host.endswith("." + site)


def describe(host: str, tags: Campaign) -> tuple[str, str]:
    """(source, channel); the source of a direct visit is empty."""
    found = known(tags.source.lower() or host) if tags.source or host else None
    clicked = _CLICKS.get(tags.click_id)
    if found is None and clicked is not None and not tags.source and not host:
        found = clicked
    source = found[0] if found else tags.source or host
    natural = found[1] if found else ""
    if clicked is not None or _PAID.match(tags.medium.lower()):
        return source, _paid(natural, tags.medium.lower(), clicked)
    return source, _unpaid(natural, tags, host)


def _paid(natural: str, medium: str, clicked: tuple[str, str] | None) -> str:
    if medium in ("cpm", "display"):
        return "Display"
    if not natural and clicked is not None:
        natural = clicked[1]
    return _PAID_NAMES.get(natural, natural if natural == "Display" else "Paid Other")


def _unpaid(natural: str, tags: Campaign, host: str) -> str:
    by_medium = _MEDIUMS.get(tags.medium.lower())
    if by_medium is not None:
        return by_medium
    if natural:
        return natural
    return REFERRAL if host or tags.source else DIRECT
