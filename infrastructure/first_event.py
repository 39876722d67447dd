"""Waiting for a site's first event, and telling what came instead."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from api.arrivals import Arrivals
from shared.program import PROGRAM

NEXT_STEPS = {
    "forbidden_origin": "the page is not on the site's own domain: allow it with "
    f"`{PROGRAM} site set {{site}} origins=https://shop.example`.",
    "unknown_site": "a page names a site that is not here: its data-site must be {site}.",
    "rate_limited": "it came faster than the site's rate, which events_per_s sets.",
    "unauthenticated": "it came with a key that does not work: make another with `key add`.",
    "forbidden": "its key is for another site or has no ingest scope.",
    "dnt": "the browser asks not to be tracked (Do Not Track): try another one.",
    "gpc": "the browser asks not to be tracked (Global Privacy Control): try another one.",
    "prefetch": "the page was only fetched ahead: open it.",
    "excluded": "the address is among the site's `excluded` networks.",
}
"""By error code or reason of a drop; the rest stand in the documentation of errors."""


def what_came_instead(site: str, arrivals: Arrivals) -> Iterator[str]:
    """One line for each kind, with what to do about it."""
    for what, counts in (
        ("refused", arrivals.refused),
        ("left out", arrivals.dropped),
        ("set aside", arrivals.quarantined),
        ("of no known site, refused", arrivals.elsewhere),
    ):
        for outcome, events in counts.items():
            reason = outcome.rpartition(":")[2]
            yield f"{events:,} {what} ({reason}){_next_step(reason, site)}"
    for bots in arrivals.bots:
        yield f"{bots.events:,} of robots (rule {bots.rule}), stored and not counted."


def _next_step(reason: str, site: str) -> str:
    step = NEXT_STEPS.get(reason)
    return f": {step.format(site=site)}" if step else "."


@dataclass
class Watch:
    """Tells of each kind of refusal when it comes, once; what came before the watch is no news."""

    site: str
    before: Arrivals
    _told: set[str] = field(default_factory=set, init=False)

    def news(self, now: Arrivals) -> Iterator[str]:
        """One sentence for each kind that is new."""
        for kind, sentence in self._kinds(now):
            if kind not in self._told:
                self._told.add(kind)
                yield sentence

    def _kinds(self, now: Arrivals) -> Iterator[tuple[str, str]]:
        before = self.before
        for what, counts, earlier in (
            ("refused", now.refused, before.refused),
            ("left out", now.dropped, before.dropped),
            ("refused", now.elsewhere, before.elsewhere),
            ("set aside", now.quarantined, before.quarantined),
        ):
            for outcome, events in counts.items():
                if events > earlier.get(outcome, 0):
                    reason = outcome.rpartition(":")[2]
                    then = _next_step(reason, self.site)
                    yield outcome, f"Something came and was {what} ({reason}){then}"
        for bots in now.bots:
            yield (
                bots.rule,
                (
                    f"A robot came (rule {bots.rule}): it is stored and not counted. "
                    "curl is one, too: open the page in a browser."
                ),
            )


def wait_for_first_event(
    site: str,
    before: Arrivals,
    read: Callable[[], Arrivals],
    say: Callable[[str], None],
    pause: Callable[[], None],
) -> Arrivals:
    """Returns once an event that counts is stored; meanwhile `say` gets what came instead
    since `before`."""
    arrivals, watch = before, Watch(site, before)
    while arrivals.first_event_at is None:
        pause()
        arrivals = read()
        for sentence in watch.news(arrivals):
            say(sentence)
    return arrivals
