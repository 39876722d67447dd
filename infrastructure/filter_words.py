"""Filters as people type them: ``event:page=/admin,/login``, or JSON as the API takes it."""

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from infrastructure.problem import Problem

_WORD = re.compile(r"(?P<dimension>[\w:.-]+?)(?P<sign>!=|!~|=|~)(?P<values>.*)", re.DOTALL)
_OPERATORS = {"=": "is", "!=": "is_not", "~": "contains", "!~": "contains_not"}


def read_filters(words: Iterable[str]) -> list[Any]:
    """Filters as they are written on the wire; all must hold. Raises Problem."""
    return [_read(word) for word in words]


def say_filters(filters: list[Any]) -> str:
    """The same the other way round, for people."""
    return " and ".join(map(_say, filters))


def _read(word: str) -> Any:
    if word.startswith("["):
        try:
            return msgspec.json.decode(word.encode())
        except (msgspec.DecodeError, UnicodeError) as error:
            raise Problem(f"{word!r} is not JSON: {error}") from error
    found = _WORD.fullmatch(word)
    if found is None:
        raise Problem(
            f"{word!r} is no filter: write one as event:page=/admin, "
            'or as ["is", "event:page", ["/admin"]].'
        )
    return [_OPERATORS[found["sign"]], found["dimension"], found["values"].split(",")]


def _say(part: Any) -> str:
    signs = {operator: sign for sign, operator in _OPERATORS.items()}
    match part:
        case [str(operator), str(dimension), [*values]] if operator in signs:
            return f"{dimension}{signs[operator]}{','.join(map(str, values))}"
    return msgspec.json.encode(part).decode()
