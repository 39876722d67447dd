"""UTM tags of the page's address, and which kind of click id it has; never the id itself."""

from collections.abc import Sequence
from urllib.parse import parse_qsl

from writer.draft import Campaign, Draft
from writer.enrich.known_sources import is_name
from writer.enrich.page import split
from writer.enrich.remembered import Remembered

CLICK_IDS = (
    "gclid",
    "gbraid",
    "wbraid",
    "dclid",
    "msclkid",
    "fbclid",
    "ttclid",
    "twclid",
    "li_fat_id",
    "yclid",
    "rdt_cid",
    "epik",
    "sccid",
)
_NONE = Campaign()


def tags_of(url: str) -> Campaign:
    """The campaign of an address.

    ``ref`` and ``source`` stand in for ``utm_source`` where they name a known source: in other
    words may be anything, a name or an address too.
    """
    query = split(url)[2]
    if not query:
        return _NONE
    values: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        values.setdefault(name.lower(), value.strip())
    return Campaign(
        source=values.get("utm_source") or _named(values.get("ref"), values.get("source")),
        medium=values.get("utm_medium", ""),
        campaign=values.get("utm_campaign", ""),
        term=values.get("utm_term", ""),
        content=values.get("utm_content", ""),
        click_id=next((name for name in CLICK_IDS if values.get(name)), ""),
    )


def _named(*texts: str | None) -> str:
    return next((text for text in texts if text and is_name(text)), "")


_tags_of = Remembered(tags_of, 50_000)


def read_campaign(drafts: Sequence[Draft]) -> None:
    """Add the campaign, if the address names one."""
    for draft in drafts:
        draft.campaign = _tags_of[draft.beacon.url]
