"""Texts compared in one library, whatever engine counts: case folding and regular expressions."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import re2

from api.query.filters import Leaf
from shared.errors import Code, Refusal

MAX_PATTERN = 4_000
"""Characters of the regular expressions of one filter."""

MAX_MEMORY = 4 << 20
"""Bytes that one of them may take."""


def fits(leaf: Leaf, value: str) -> bool:
    """Whether a value is what a leaf looks for, its negation aside."""
    if leaf.test == "matches":
        return _compiled(either(leaf.values)).search(value) is not None
    if not leaf.case_sensitive:
        value = value.casefold()
    wanted = _wanted(leaf)
    return value in wanted if leaf.test == "is" else any(text in value for text in wanted)


def either(patterns: Sequence[str]) -> str:
    """One expression for several: a value is gone through once."""
    return patterns[0] if len(patterns) == 1 else "|".join(f"(?:{one})" for one in patterns)


def check_pattern(pattern: str, place: str) -> None:
    """Raises Refusal for what is no regular expression of RE2's, or too much of one."""
    if len(pattern) > MAX_PATTERN:
        message = f"regular expressions have at most {MAX_PATTERN:,} characters"
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
    options.max_mem = MAX_MEMORY
    return re2.compile(pattern, options)
