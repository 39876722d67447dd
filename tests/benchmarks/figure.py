"""What a benchmark finds out."""

from typing import Any, NamedTuple


class Figure(NamedTuple):
    """One line of `./run bench`. ``unit`` is empty for a ratio; ``detail`` is what a reader needs
    to judge the figure, ready for JSON."""

    name: str
    median: float
    min: float
    max: float
    unit: str
    detail: dict[str, Any]


def exact(name: str, value: float, unit: str, **detail: Any) -> Figure:
    """A figure that is the same every time."""
    return Figure(name, value, value, value, unit, detail)
