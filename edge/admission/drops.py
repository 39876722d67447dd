"""Beacons that are deliberately not kept, and why; judged by headers before the body is parsed."""

from collections.abc import Mapping
from enum import StrEnum

from edge.admission.rules import Rules


class Drop(StrEnum):
    """The reason in ``x-millrace-dropped``."""

    DNT = "dnt"
    GPC = "gpc"
    PREFETCH = "prefetch"
    EXCLUDED = "excluded"


def drop_of(headers: Mapping[bytes, bytes], rules: Rules | None) -> Drop | None:
    """Why the headers alone have the request dropped, or None."""
    for name in (b"sec-purpose", b"purpose", b"x-purpose", b"x-moz"):
        purpose = headers.get(name)
        if purpose is not None and b"prefetch" in purpose.lower():
            return Drop.PREFETCH
    if headers.get(b"dnt") == b"1" and not _waives(headers, rules):
        return Drop.DNT
    if headers.get(b"sec-gpc") == b"1" and not _waives(headers, rules):
        return Drop.GPC
    return None


def _waives(headers: Mapping[bytes, bytes], rules: Rules | None) -> bool:
    # The site stands in the body, which must not be parsed for those who said no. So a site that
    # asks to count them all the same is known by the page's Origin, and by nothing else.
    if rules is None:
        return False
    site = rules.site_of_origin(headers.get(b"origin", b"").decode("latin-1"))
    return site is not None and not site.honours_dnt
