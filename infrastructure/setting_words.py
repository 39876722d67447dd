"""A site's settings as somebody types them: ``keep_days=90``, ``origins=https://a.example``."""

from collections.abc import Sequence
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from infrastructure.problem import Problem
from shared.sites import SiteSettings

_HINTS = get_type_hints(SiteSettings)


def read_words(words: Sequence[str]) -> dict[str, Any]:
    """Name → value, not yet checked beyond its kind. A list is parted by commas; ``null`` is the
    default that no value stands for. Raises Problem."""
    return dict(_read_word(word) for word in words)


def _read_word(word: str) -> tuple[str, Any]:
    name, equals, text = word.partition("=")
    if not equals:
        raise Problem(f"{word!r} is no setting: write it like keep_days=90.")
    if name not in _HINTS:
        raise Problem(f"There is no setting {name!r}: the settings are {', '.join(_HINTS)}.")
    return name, _value(_HINTS[name], text)


def _value(hint: Any, text: str) -> Any:
    kinds = (hint, *get_args(hint))
    if type(None) in kinds and text in ("null", "none"):
        return None
    if hint is str:
        return text
    if any(get_origin(kind) is tuple for kind in kinds):
        return [part.strip() for part in text.split(",") if part.strip()]
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
