"""A line of a log as the keyed server event that is sent for it."""

from ipaddress import ip_address
from urllib.parse import quote, urlsplit
from uuid import UUID

import msgspec

from infrastructure.problem import Problem
from infrastructure.replay.access_line import AccessLine
from shared.beacon import EARLIEST_IMPORT_US, MAX_AHEAD_US, MAX_URL, MAX_USER_AGENT, longer
from shared.clock import US_PER_MS, system_clock

_MAX_PATH = MAX_URL - 300
"""Leaves room for the site's own address before it."""


class ServerEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """One event of the ingest contract. ``ts``: epoch ms. ``ip`` is left out where the log names
    a host or a socket instead of an address; such a page view has no visitor."""

    site: str
    id: UUID
    ts: int
    url: str
    referrer: str = ""
    ip: str = ""
    user_agent: str = ""


class Website(msgspec.Struct, frozen=True):
    """Whose log it is: the site's key, and its address (``https://example.com``)."""

    site: str
    base: str

    @property
    def host(self) -> str:
        return urlsplit(self.base).hostname or ""

    def event(self, line: AccessLine, line_id: UUID) -> ServerEvent:
        """What is sent for a counted line."""
        return ServerEvent(
            site=self.site,
            id=line_id,
            ts=line.ts_ms,
            url=_within(self.base + _origin_form(line.target)),
            referrer=_cut(line.referrer, MAX_URL),
            ip=_address(line.address),
            user_agent=_cut(line.user_agent, MAX_USER_AGENT),
        )


def website(url: str, site: str | None) -> Website:
    """From `--url` and `--site`; the site is the address's host where it is not given."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
        raise Problem(f"--url {url} is no address of a site: write it like https://example.com.")
    base = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
    return Website(site or host, base)


def fits(line: AccessLine) -> bool:
    """Whether the ingest contract takes its time and the path of its page."""
    path = _origin_form(line.target).partition("?")[0]
    latest_us = system_clock() + MAX_AHEAD_US
    return not longer(path, _MAX_PATH) and EARLIEST_IMPORT_US <= line.ts_ms * US_PER_MS <= latest_us


def _within(url: str) -> str:
    """A query too long for the contract is left out: the page is the same."""
    return url.partition("?")[0] if longer(url, MAX_URL) else url


def _origin_form(target: str) -> str:
    """Path and query. A proxy's request names a whole address; `//a` is a path, not a host."""
    if not target.startswith("/"):
        _, _, rest = target.partition("://")
        slash = rest.find("/")
        target = rest[slash:] if slash >= 0 else "/"
    if target.isprintable() and " " not in target:
        return target
    return quote(target, safe="/?#[]@!$&'()*+,;=:%~")


def _cut(text: str, max_bytes: int) -> str:
    """A crawler's endless user agent or referrer is no reason to lose the page view."""
    if len(text) * 4 <= max_bytes:
        return text
    return text.encode()[:max_bytes].decode("utf-8", "ignore")


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        return ""
