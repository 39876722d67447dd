"""One line of an nginx or Apache access log in combined format, with or without a virtual host.

::

    shop.example:443 203.0.113.9 - - [22/Nov/2026:16:07:54 +0000] "GET / HTTP/1.1" 200 512 "-" "…"

What a format of one's own adds behind the user agent is passed over.
"""

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import NamedTuple


class AccessLine(NamedTuple):
    """One request. ``ts_ms``: epoch ms. ``method`` and ``target`` are empty where the request was
    not HTTP; ``host``, ``referrer`` and ``user_agent`` where the log has none."""

    host: str
    address: str
    ts_ms: int
    method: str
    target: str
    status: int
    referrer: str
    user_agent: str


def read_line(line: bytes) -> AccessLine | None:
    """The request that a line tells of; None where the line is not in combined format."""
    match = _LINE.match(line)
    if match is None:
        return None
    ts_ms = _epoch_ms(match["time"])
    if ts_ms is None:
        return None
    method, target = _split_request(match["request"])
    return AccessLine(
        host=(match["host"] or b"").decode("latin-1").lower(),
        address=match["address"].decode("latin-1"),
        ts_ms=ts_ms,
        method=method,
        target=target,
        status=int(match["status"]),
        referrer=_text(match["referrer"]),
        user_agent=_text(match["agent"]),
    )


# Nothing here can be matched in two ways, so a hostile line takes no longer than another. A field
# before the address is a virtual host when what follows it is the address, not the `-` of identd.
# (Not `?+` behind it: Python before 3.11.5 leaves such a group with what it could not match.)
_QUOTED = rb'[^"\\]*+(?:\\.[^"\\]*+)*+'
_LINE = re.compile(
    rb"(?:(?P<host>[\w.-]+)(?::\d+)? (?=[^\s-]\S* - ))?"
    rb'(?P<address>\S+) \S+ [^\["]*+\[(?P<time>[^\]]+)\] '
    rb'"(?P<request>' + _QUOTED + rb')" (?P<status>\d{3}) (?:\d+|-) '
    rb'"(?P<referrer>' + _QUOTED + rb')" "(?P<agent>' + _QUOTED + rb')"',
    re.DOTALL,
)
_REQUEST = re.compile(r"([A-Z]+) (\S+)(?: HTTP/[\d.]+)?")
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_LETTERS = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"b": b"\b", b"v": b"\v", b"f": b"\f"}
_MONTH_NAMES = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, start=1)}
_TIME = re.compile(
    rb"(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))? ([+-])(\d\d)(\d\d)"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=4096)
def _epoch_ms(text: bytes) -> int | None:
    match = _TIME.fullmatch(text)
    if match is None or match[2] not in _MONTHS:
        return None
    day, year, hour, minute, second = (int(match[i]) for i in (1, 3, 4, 5, 6))
    ahead = timedelta(hours=int(match[9]), minutes=int(match[10]))
    try:
        zone = timezone(ahead if match[8] == b"+" else -ahead)
        # A leap second is the one that follows it.
        moment = datetime(year, _MONTHS[match[2]], day, hour, minute, tzinfo=zone)
        since = moment + timedelta(seconds=second) - _EPOCH
    except (ValueError, OverflowError):
        return None
    parts = (match[7] or b"0").ljust(6, b"0")
    return (since.days * 86_400 + since.seconds) * 1_000 + int(parts) // 1_000


def _split_request(quoted: bytes) -> tuple[str, str]:
    match = _REQUEST.fullmatch(_text(quoted))
    return (match[1], match[2]) if match else ("", "")


def _text(quoted: bytes) -> str:
    """What stood in quotes, as the client sent it: both servers escape what is not plain."""
    if quoted == b"-":
        return ""
    if b"\\" in quoted:
        quoted = _ESCAPE.sub(_unescape, quoted)
    return quoted.decode("utf-8", "replace")


def _unescape(match: re.Match[bytes]) -> bytes:
    if match[1] is not None:
        return bytes.fromhex(match[1].decode())
    return _LETTERS.get(match[2], match[2])
