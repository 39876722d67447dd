"""Numbers that an edge gave up, as its next batches name them.

A worker that is killed between such a batch and its next heartbeat has told nobody else; without
this the ledger would take them for losses.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from psycopg import Cursor

_PUT = """
INSERT INTO boot AS b (edge, boot, void) VALUES (%s, %s, %s::int8multirange)
ON CONFLICT (edge, boot) DO UPDATE SET void = b.void + excluded.void
"""
Boot = tuple[str, int]
"""(edge, boot)."""


def put_voids(cursor: Cursor[Any], named: Iterable[tuple[Boot, Iterable[int]]]) -> None:
    """Of batches that are stored in this transaction."""
    gathered = gather(named)
    # In one order, lest two writers wait for each other.
    for (edge, boot), numbers in sorted(gathered.items()):
        ranges = ",".join(f"[{number},{number}]" for number in sorted(numbers))
        cursor.execute(_PUT, (edge, boot, "{" + ranges + "}"))


def gather(named: Iterable[tuple[Boot, Iterable[int]]]) -> Mapping[Boot, set[int]]:
    """By boot; a boot that has given up nothing is not there."""
    gathered: dict[Boot, set[int]] = {}
    for boot, numbers in named:
        if numbers := set(numbers):
            gathered.setdefault(boot, set()).update(numbers)
    return gathered
