"""Whether a page may send for a site: its own domain and subdomains, and what the site lists."""

import re
from collections.abc import Iterable

_ORIGIN = re.compile(r"(https?)://(\[[0-9a-f:.]+\]|[^/:?#@\[\]\s]+)(?::(\d{1,5}))?", re.IGNORECASE)


def origin_host(origin: str) -> str | None:
    """The host of a web origin in lower case; None for ``null`` and what is none."""
    match = _ORIGIN.fullmatch(origin)
    return match.group(2).lower().rstrip(".") if match else None


class Origins:
    """The origins of one site. A listed ``https://shop.example`` is taken as it stands, a bare
    host with every scheme and port, ``*`` is any origin but ``null``."""

    def __init__(self, site: str, listed: Iterable[str] = ()) -> None:
        self._domain = site.lower()
        self._usual = {f"https://{self._domain}", f"https://www.{self._domain}"}
        self._exact = {origin.lower().rstrip("/") for origin in listed}

    def allow(self, origin: str) -> bool:
        """Whether a request with this Origin may send for the site."""
        if origin in self._usual:
            return True
        host = origin_host(origin)
        if host is None:
            return False
        if host == self._domain or host.endswith("." + self._domain):
            return True
        return bool(self._exact) and not self._exact.isdisjoint(("*", host, origin.lower()))
