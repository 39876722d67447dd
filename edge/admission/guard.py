"""Who may send, for which site, and how often.

A site has a rate of its own, each address prefix another, and the worker a total that is divided
fairly among the sites when it runs short. What belongs to no site has one site's part; without a
snapshot, when no site is known, each address prefix is a party of its own.
"""

import time
from collections.abc import Callable, Mapping, Sequence

from edge.admission.address import Client, Networks, find_client, forwarded_in
from edge.admission.fair_total import FairTotal
from edge.admission.keys import Bearer, read_bearer
from edge.admission.limits import RateByKey, retry_after_s
from edge.admission.rules import Rules, Site
from shared.errors import Code, Refusal
from shared.settings import EdgeSettings

BODY_BYTES_AN_EVENT = 8_192
"""A body that brings nothing costs the edge its bytes: one event's worth for so many."""
_NOBODY = ""
"""Stands among the sites for what belongs to none of them."""

Prefix = int
"""As ``Client.prefix`` gives it."""


class Guard:
    """Holds the rules in force and the rates of this worker."""

    def __init__(
        self, settings: EdgeSettings, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._trusted = Networks(settings.edge_trusted_proxies)
        self._bits = settings.edge_prefix_v4, settings.edge_prefix_v6
        self._workers = settings.edge_workers
        self._monotonic_s = monotonic_s
        self.rules: Rules | None = None
        self._refusing_until = 0.0
        self._own_per_s = settings.edge_address_events_per_s, settings.edge_total_events_per_s
        self._set_rates(*self._own_per_s)

    def use(self, rules: Rules) -> None:
        """Judge by these from now on."""
        before, self.rules = self.rules, rules
        by_address, total = self._own_per_s
        now = (
            rules.snapshot.per_address_events_per_s or by_address,
            rules.snapshot.total_events_per_s or total,
        )
        if before is None or now != self._per_s:
            self._set_rates(*now)
        if before is not None:
            _keep_rates(before, rules)

    def client(self, peer: str, headers: Sequence[tuple[bytes, bytes]]) -> Client:
        """Whose request it is."""
        if not self._trusted:
            return find_client(peer, "", self._trusted)
        return find_client(peer, forwarded_in(headers), self._trusted)

    def bearer(self, headers: Mapping[bytes, bytes]) -> Bearer | None:
        """The key it came with, if any. Raises Refusal."""
        authorization = headers.get(b"authorization")
        return None if authorization is None else read_bearer(authorization, self.rules)

    def prefix(self, client: Client) -> Prefix:
        """The network by which its rate is limited."""
        return client.prefix(*self._bits)

    def check_rate(self, prefix: Prefix, bearer: Bearer | None) -> str | Prefix:
        """Before the body is read: is there room, as far as the headers tell whose it is? Returns
        by whom its bytes are counted: the site whose key it has, or the address. Raises
        Refusal."""
        now = self._monotonic_s()
        if _is_limited_by_address(bearer):
            _demand_room(self._by_address.wait_s(prefix, now))
        site = self._site_of(bearer)
        if site is not None:
            self._check_site_rate(site, now)
            return site.name
        if self.rules is None:
            _demand_room(self._total.wait_s(prefix, now))
        return prefix

    @property
    def is_refusing(self) -> bool:
        """Whether a site uses more than it may just now. Then it is worth a look at a body who
        sends it, before more is done with it."""
        now = self._monotonic_s()
        return now < self._refusing_until or self._total.is_short(now)

    def check_site_rate(self, name: str) -> None:
        """Before the body is judged: is there room for its site? Raises Refusal."""
        site = None if self.rules is None else self.rules.sites.get(name.lower())
        if site is not None:
            self._check_site_rate(site, self._monotonic_s())

    def knows(self, site: str) -> bool:
        """Whether a snapshot vouches for it."""
        return self.rules is not None and site in self.rules.sites

    def site(self, name: str) -> Site | None:
        """The site's rules; None while there is no snapshot. Raises Refusal if it is unknown."""
        if self.rules is None:
            return None
        site = self.rules.sites.get(name.lower())
        if site is None:
            raise Refusal(Code.UNKNOWN_SITE, "this edge knows no such site", field="site")
        return site

    @staticmethod
    def check_origin(site: Site | None, headers: Mapping[bytes, bytes]) -> None:
        """No Origin passes: a server's call has none. Raises Refusal."""
        origin = headers.get(b"origin")
        if origin is None:
            return
        if origin == b"null" or (
            site is not None and not site.origins.allow(origin.decode("latin-1"))
        ):
            raise Refusal(
                Code.FORBIDDEN_ORIGIN,
                "the site does not list this origin",
                site="" if site is None else site.name,
            )

    @staticmethod
    def check_key(bearer: Bearer | None, name: str) -> None:
        """Raises Refusal when the key is not good for the site."""
        if bearer is not None and bearer.site is not None and bearer.site != name.lower():
            raise Refusal(Code.FORBIDDEN, "the key is not good for this site", field="site")

    def charge(self, prefix: Prefix, bearer: Bearer | None, site: Site | None, events: int) -> None:
        """Count them against every rate. Raises Refusal when the site's own or its part of the
        total is used up."""
        now = self._monotonic_s()
        if site is not None:
            self._check_site_rate(site, now)
            site.rate.charge(now, events)
        self._charge_common(prefix, bearer, site, now, events)

    def charge_untaken(
        self, prefix: Prefix, bearer: Bearer | None, body_bytes: int, events: int = 1
    ) -> None:
        """Count a request of which nothing is kept. Only a key proves for which site it was: by
        its name alone, anybody could use up a site's rate with what is worth nothing."""
        now = self._monotonic_s()
        cost = max(events, 1 + body_bytes // BODY_BYTES_AN_EVENT)
        site = self._site_of(bearer)
        if site is not None:
            site.rate.charge(now, cost)
        self._charge_common(prefix, bearer, site, now, cost)

    def _charge_common(
        self, prefix: Prefix, bearer: Bearer | None, site: Site | None, now: float, events: int
    ) -> None:
        nobody = prefix if self.rules is None else _NOBODY
        self._total.charge(nobody if site is None else site.name, now, events)
        if _is_limited_by_address(bearer):
            self._by_address.charge(prefix, now, events)

    def _check_site_rate(self, site: Site, now: float) -> None:
        wait_s = site.rate.wait_s(now)
        if wait_s > 0:
            self._refusing_until = max(self._refusing_until, now + wait_s)
            raise _too_often(wait_s, site.name)
        wait_s = self._total.wait_s(site.name, now)
        if wait_s > 0:
            raise _too_often(wait_s, site.name)

    def _site_of(self, bearer: Bearer | None) -> Site | None:
        if bearer is None or bearer.site is None or self.rules is None:
            return None
        return self.rules.sites.get(bearer.site)

    def _set_rates(self, per_address_per_s: int, total_per_s: int) -> None:
        self._per_s = per_address_per_s, total_per_s
        self._total: FairTotal[str | Prefix] = FairTotal(total_per_s / self._workers)
        self._by_address: RateByKey[Prefix] = RateByKey(per_address_per_s / self._workers)


def _keep_rates(before: Rules, after: Rules) -> None:
    # A new snapshot must not hand a noisy site a fresh share.
    for name, site in after.sites.items():
        known = before.sites.get(name)
        if known is not None:
            site.rate.carry_over(known.rate)


def _is_limited_by_address(bearer: Bearer | None) -> bool:
    # All calls of a site's server come from one address; but anybody can make up a key.
    return bearer is None or not bearer.verified


def _demand_room(wait_s: float) -> None:
    if wait_s > 0:
        raise _too_often(wait_s)


def _too_often(wait_s: float, site: str = "") -> Refusal:
    return Refusal(
        Code.RATE_LIMITED,
        "too many events; retry later",
        retry_after_s=retry_after_s(wait_s),
        site=site,
    )
