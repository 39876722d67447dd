"""Whether a robot sent it, by named patterns and the packaged list; marked, never thrown away.

The patterns are the site's and the installation's as of the envelope's received_at, so that an
event which waited in a spool is judged as it would have been. The first that matches decides, the
site's own before the installation's, and the packaged list comes last.
"""

import logging
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from shared.bots import BadPattern, Judge, Pattern, check_pattern, packaged_rule_of
from writer.draft import Draft
from writer.enrich.remembered import Remembered

log = logging.getLogger("writer")


class BotPattern(NamedTuple):
    """``site_id`` None: every site's. Times in µs; ``valid_until`` None: in force."""

    site_id: int | None
    valid_from: int
    valid_until: int | None
    pattern: Pattern


class _History:
    """The patterns that a site's events meet; each set of them is made ready when it is asked."""

    def __init__(self, patterns: Sequence[BotPattern]) -> None:
        ends = [pattern.valid_until for pattern in patterns if pattern.valid_until is not None]
        self._patterns = patterns
        self._changes = sorted({0, *(pattern.valid_from for pattern in patterns), *ends})
        self._judges = Remembered[int, Judge | None](self._make_judge, 100)

    def judge_at(self, moment: int) -> Judge | None:
        """None where there is none but the packaged list."""
        return self._judges[max(bisect_right(self._changes, moment) - 1, 0)]

    def _make_judge(self, period: int) -> Judge | None:
        began = self._changes[period]
        holding = [
            pattern.pattern
            for pattern in self._patterns
            if pattern.valid_from <= began
            and (pattern.valid_until is None or began < pattern.valid_until)
        ]
        return Judge(holding) if holding else None


_packaged_rule_of = Remembered(packaged_rule_of, 20_000)


class Bots:
    """Knows every pattern there is and was; reads those of a site when its first event comes."""

    def __init__(self) -> None:
        self._patterns: tuple[BotPattern, ...] = ()
        self._by_site: dict[int | None, list[BotPattern]] = {}
        self._histories = Remembered[int, _History](self._make_history, 10_000)
        self._agents = Remembered[tuple[Judge, str], int | None](
            lambda asked: asked[0].agent_match(asked[1]), 50_000
        )
        self._networks = Remembered[tuple[Judge, str], int | None](
            lambda asked: asked[0].network_match(asked[1]), 50_000
        )

    def learn(self, patterns: tuple[BotPattern, ...]) -> None:
        """All patterns, each site's in the order in which they are asked."""
        if patterns == self._patterns:
            return
        self._patterns = patterns
        self._by_site = {}
        for pattern in patterns:
            self._by_site.setdefault(pattern.site_id, []).append(pattern)
        for remembered in (self._histories, self._agents, self._networks):
            remembered.clear()

    def mark(self, drafts: Sequence[Draft]) -> None:
        """Name the rule by which each is a robot's."""
        for draft in drafts:
            decided = self._decide(draft) if self._patterns else None
            if decided is None:
                draft.bot = _packaged_rule_of[draft.user_agent]
            else:
                draft.bot = None if decided.allows else decided.name

    def _decide(self, draft: Draft) -> Pattern | None:
        judge = self._histories[draft.site_id].judge_at(draft.received_at)
        if judge is None:
            return None
        return judge.decide(self._agents[judge, draft.user_agent], self._networks[judge, draft.ip])

    def _make_history(self, site_id: int) -> _History:
        patterns = self._by_site.get(site_id, []) + self._by_site.get(None, [])
        return _History([pattern for pattern in patterns if _is_sound(pattern.pattern)])


def _is_sound(pattern: Pattern) -> bool:
    """Whatever stands in the table, one site's pattern must not stop the others' events."""
    try:
        check_pattern(pattern)
    except BadPattern:
        log.error("the bot pattern named %r cannot be used", pattern.name)
        return False
    return True
