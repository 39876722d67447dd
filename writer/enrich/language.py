"""The language a browser asks for first."""

import re
from collections.abc import Sequence

from writer.draft import Draft
from writer.enrich.remembered import Remembered

_TAG = re.compile(r"\s*([A-Za-z]{2,3})(?:[-_;,]|\s*$)")


def first_language(accept: str) -> str:
    """``de`` of ``de-CH,de;q=0.9``; empty where no tag leads."""
    match = _TAG.match(accept)
    return match.group(1).lower() if match else ""


_first_language = Remembered(first_language, 10_000)


def read_language(drafts: Sequence[Draft]) -> None:
    """Shorten the header to the language alone."""
    for draft in drafts:
        draft.language = _first_language[draft.accept]
