"""Choices that are not equally likely."""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


def pick(rng: Random, choices: Sequence[tuple[float, T]]) -> T:
    """One of the (weight, thing): what weighs twice as much is picked twice as often."""
    return rng.choices([thing for _, thing in choices], [weight for weight, _ in choices])[0]
