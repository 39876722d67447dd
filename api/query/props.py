"""Custom properties as text."""

from typing import Any

from sqlalchemy import ColumnElement, Text, cast, func, literal

ABSENT = "(none)"
"""What an event without the property counts under; the empty text is the same."""

COLUMN = "props:"
"""How the columns of a relation begin that hold properties."""


def is_prop(column: str) -> bool:
    """Whether the column of a dimension is a property."""
    return column.startswith(COLUMN)


def prop(props: ColumnElement[Any], column: str) -> ColumnElement[Any]:
    """The property of that column, as JSON writes it, from the column that holds all."""
    key = literal(column.removeprefix(COLUMN), Text)
    value = props.op("->>")(key)
    return func.coalesce(func.nullif(cast(value, Text), ""), ABSENT).label(column)
