"""A snapshot made ready to be asked by every request."""

from edge.admission.address import Networks
from edge.admission.limits import Rate
from edge.admission.origins import Origins, origin_host
from shared.snapshot import KeyRules, SiteRules, Snapshot

_MAX_ORIGIN = 300
_MAX_HOST = 253
"""The longest name that DNS knows, in characters."""


class Site:
    """One site's rules. ``name`` is its key as the snapshot writes it, in lower case."""

    def __init__(self, rules: SiteRules, workers: int) -> None:
        self.name = rules.site.lower()
        self.origins = Origins(self.name, rules.origins)
        self.excluded = Networks(rules.excluded)
        self.honours_dnt = rules.honour_dnt
        self.rate = Rate(rules.events_per_s / workers)


class Rules:
    """Sites by their key in lower case, API keys by digest. A worker gets its share of each rate.

    Raises ValueError when the snapshot holds what cannot be read.
    """

    def __init__(self, snapshot: Snapshot, workers: int) -> None:
        self.snapshot = snapshot
        self.sites = {rules.site.lower(): Site(rules, workers) for rules in snapshot.sites}
        self.keys: dict[bytes, KeyRules] = {key.digest: key for key in snapshot.keys}

    def site_of_origin(self, origin: str) -> Site | None:
        """The site whose own page this is: its domain, or the nearest above it."""
        # Every name above a host is looked up: one without end would take quadratic time.
        if len(origin) > _MAX_ORIGIN:
            return None
        host = origin_host(origin) or ""
        while host and len(host) <= _MAX_HOST:
            if host in self.sites:
                return self.sites[host]
            host = host.partition(".")[2]
        return None
