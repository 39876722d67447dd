"""What was acknowledged against what is stored, by id."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

import psycopg

from tests.chaos.load import BROWSED, SERVED, Log


class Account(NamedTuple):
    """Each a set of what is wrong, named by page or event id."""

    acknowledged: int
    lost: frozenset[str]
    duplicated: frozenset[str]
    invented: frozenset[str]

    @property
    def is_clean(self) -> bool:
        """Something was acknowledged, and all of it is there once, and nothing else."""
        return self.acknowledged > 0 and not (self.lost or self.duplicated or self.invented)

    @property
    def line(self) -> str:
        """The closing line."""
        return (
            f"lost {len(self.lost)} duplicated {len(self.duplicated)} "
            f"invented {len(self.invented)} of {self.acknowledged} acknowledged"
        )


def draw_up(postgres_url: str, log: Log) -> Account:
    """Of everything that the database holds of the two sites."""
    browsed = compare_browsed(log, _rows(postgres_url, BROWSED))
    served = compare_served(log, [event_id for _, event_id in _rows(postgres_url, SERVED)])
    return Account(
        log.total,
        browsed.lost | served.lost,
        browsed.duplicated | served.duplicated,
        browsed.invented | served.invented,
    )


def compare_browsed(log: Log, rows: Iterable[tuple[str, UUID]]) -> Account:
    """A page's one row has a receipt that it was given, or that of an answer which never came."""
    rows = list(rows)
    counts = Counter(page for page, _ in rows)
    wrong = {
        page
        for page, event_id in rows
        if event_id not in log.receipts.get(page, ()) and page not in log.unsure
    }
    return Account(
        len(log.receipts),
        frozenset(log.receipts.keys() - counts.keys()),
        frozenset(page for page, n in counts.items() if n > 1),
        frozenset(wrong),
    )


def compare_served(log: Log, rows: Iterable[UUID]) -> Account:
    """Every row is one that was sent, under the id that is derived from its own."""
    counts = Counter(rows)
    return Account(
        len(log.acknowledged),
        frozenset(map(str, log.acknowledged - counts.keys())),
        frozenset(str(event_id) for event_id, n in counts.items() if n > 1),
        frozenset(map(str, counts.keys() - log.served.keys())),
    )


def _rows(postgres_url: str, site: str) -> list[tuple[str, UUID]]:
    with psycopg.connect(postgres_url) as db:
        return db.execute(
            "select page, event_id from events join site using (site_id)"
            " where site.key = %s and commit_out is null",
            [site],
        ).fetchall()
