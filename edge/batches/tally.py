"""What this boot did, in plain numbers; published to the metrics and the heartbeat each second."""

from collections import Counter

from shared.metrics import EDGE_EVENTS, EDGE_REQUESTS

RECEIVED = "received"
MOST_SITES = 10_000
ELSEWHERE = ""
"""Stands for a request whose site is not known, and for sites beyond the bound."""


class Tally:
    """Counts since the boot began. A dictionary is a tenth of the price of a metric."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.sites: dict[str, Counter[str]] = {}
        self._published_statuses: Counter[int] = Counter()
        self._published_events: Counter[str] = Counter()

    def answered(self, status: int) -> None:
        """One response of the beacon endpoint."""
        self.statuses[status] += 1

    def received(self, site: str, events: int) -> None:
        """Acknowledged: a batch as a whole, whoever still waits for the answer."""
        self._of(site)[RECEIVED] += events

    def dropped(self, site: str, reason: str, events: int) -> None:
        """Deliberately not kept."""
        self._of(site)["dropped:" + reason] += events

    def refused(self, site: str, code: str, events: int = 1) -> None:
        """Not taken."""
        self._of(site)["refused:" + code] += events

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Events by site and outcome, as the heartbeat tells them."""
        return {site: dict(outcomes) for site, outcomes in self.sites.items()}

    def publish(self) -> None:
        """Bring the metrics up to date."""
        for status, total in (self.statuses - self._published_statuses).items():
            EDGE_REQUESTS.labels(status=str(status)).inc(total)
        self._published_statuses = Counter(self.statuses)
        events: Counter[str] = Counter()
        for outcomes in self.sites.values():
            events += outcomes
        for outcome, total in (events - self._published_events).items():
            name = "acknowledged" if outcome == RECEIVED else outcome
            EDGE_EVENTS.labels(outcome=name).inc(total)
        self._published_events = events

    def _of(self, site: str) -> Counter[str]:
        outcomes = self.sites.get(site)
        if outcomes is None:
            site = site if len(self.sites) < MOST_SITES else ELSEWHERE
            outcomes = self.sites.setdefault(site, Counter())
        return outcomes
