"""Whether a robot sent it, by the packaged list; marked, never thrown away."""

import re
from collections.abc import Sequence

from crawleruseragents import CRAWLER_USER_AGENTS_DATA

from writer.draft import Draft
from writer.enrich.remembered import Remembered

_RULES: list[str] = [entry["pattern"] for entry in CRAWLER_USER_AGENTS_DATA]
_CHUNK = 50
# Alternations of some dozens: one of all 1,500 is slower, and names no rule.
_CHUNKS = [
    (re.compile("|".join(_RULES[at : at + _CHUNK])), _RULES[at : at + _CHUNK])
    for at in range(0, len(_RULES), _CHUNK)
]


def rule_of(user_agent: str) -> str | None:
    """The first rule of the list that matches, or None."""
    for any_of, rules in _CHUNKS:
        if any_of.search(user_agent):
            return next(rule for rule in rules if re.search(rule, user_agent))
    return None


_rule_of = Remembered(rule_of, 20_000)


def mark_bot(drafts: Sequence[Draft]) -> None:
    """Name the rule by which the user agent is a robot's."""
    for draft in drafts:
        draft.bot = _rule_of[draft.user_agent]
