"""What the values of a dimension are called."""

from functools import cache

from babel import Locale

from api.query.vocabulary import Dimension


def shown(dimension: Dimension, value: str) -> str:
    """A value as an answer writes it."""
    return country_name(value) if dimension.named else value


def country_name(code: str) -> str:
    """The English name that CLDR has; a code that it does not know, and the empty one, stays."""
    return _territories().get(code, code)


@cache
def _territories() -> dict[str, str]:
    return dict(Locale("en").territories)
