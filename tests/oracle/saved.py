"""What a site has saved by name, as the oracle is told it."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Saved:
    """``goals``: filters by name; ``segments``: filters by id; ``exclusions``: filters each."""

    goals: dict[str, list[Any]] = field(default_factory=dict)
    segments: dict[int, list[Any]] = field(default_factory=dict)
    exclusions: list[list[Any]] = field(default_factory=list)


NOTHING_SAVED = Saved()
