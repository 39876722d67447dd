"""Texts compared in one library, whatever engine counts: case folding and regular expressions."""

from functools import lru_cache
from typing import Any

import re2

from api.query.filters import Leaf
from shared.errors import Code, Refusal

MAX_PATTERN = 1_000
"""Characters of a regular expression."""


def fits(leaf: Leaf, value: str) -> bool:
    """Whether a value is what a leaf looks for, its negation aside."""
    if leaf.test == "matches":
        return any(_compiled(pattern).search(value) is not None for pattern in leaf.values)
    if not leaf.case_sensitive:
        value = value.casefold()
    wanted = _wanted(leaf)
    return value in wanted if leaf.test == "is" else any(text in value for text in wanted)


def check_pattern(pattern: str, place: str) -> None:
    """Raises Refusal for what is no regular expression of RE2's."""
    if len(pattern) > MAX_PATTERN:
        message = f"a regular expression has at most {MAX_PATTERN} characters"
        raise Refusal(Code.BAD_QUERY, message, field=place)
    try:
        _compiled(pattern)
    except re2.error as error:
        why = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        message = f"this is no regular expression of RE2: {why}"
        raise Refusal(Code.BAD_QUERY, message, field=place) from None


@lru_cache(256)
def _wanted(leaf: Leaf) -> frozenset[str]:
    texts = leaf.values if leaf.case_sensitive else (text.casefold() for text in leaf.values)
    return frozenset(texts)


@lru_cache(256)
def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20
    return re2.compile(pattern, options)
