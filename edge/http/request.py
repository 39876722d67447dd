"""What the edge looks at of an HTTP request."""

from collections.abc import Hashable
from functools import lru_cache
from typing import NamedTuple

from starlette.types import Scope

from edge.admission.address import Client
from edge.admission.keys import Bearer
from shared.beacon import MAX_URL, MAX_USER_AGENT
from shared.envelope import Headers

_MAX_LANGUAGE = 35


class Caller(NamedTuple):
    """Who sends: headers in lower case (the last of a name), address, the network by which its
    rate is limited, and key if any. ``holder``: by whom the bytes are counted that it makes the
    edge hold."""

    headers: dict[bytes, bytes]
    client: Client
    prefix: int
    bearer: Bearer | None
    holder: Hashable


def peer_of(scope: Scope) -> str:
    """The address at the other end of the connection; empty for a Unix socket."""
    peer = scope.get("client")
    return str(peer[0]) if peer else ""


def captured_headers(headers: dict[bytes, bytes]) -> Headers:
    """The few headers that enrichment needs, within bounds and fit to be stored as text."""
    agent = headers.get(b"user-agent")
    languages = headers.get(b"accept-language")
    referer = headers.get(b"referer")
    return Headers(
        _text(agent, MAX_USER_AGENT) if agent else "",
        _language(languages) if languages else "",
        _text(referer, MAX_URL) if referer else "",
    )


def _language(languages: bytes) -> str:
    if len(languages) > _MAX_KNOWN:
        return _first_language(languages)
    return _known_language(languages)


def _first_language(languages: bytes) -> str:
    return _text(languages.split(b",", 1)[0].split(b";", 1)[0].strip(), _MAX_LANGUAGE)


# Browsers send the same few.
_known_language = lru_cache(maxsize=256)(_first_language)
_MAX_KNOWN = 100
"""Bytes of a header that is worth remembering."""


def _text(value: bytes, most_bytes: int) -> str:
    value = value[:most_bytes]
    if value.isascii() and b"\0" not in value:
        return value.decode("ascii")
    # A byte that is no UTF-8 becomes three, so it is cut once more.
    text = value.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
    return text.encode()[:most_bytes].decode("utf-8", "ignore")
