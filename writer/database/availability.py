"""Whether the database takes what the writer does, and if not, why."""

import logging

from shared.metrics import WRITER_DATABASE_TROUBLES, WRITER_DATABASE_UP
from writer.database.connection import OTHER, DataRefused, Unavailable

log = logging.getLogger("writer")


class Availability:
    """By kind of work: reading may go where storing does not, in a full or read-only database."""

    def __init__(self) -> None:
        self._troubles: dict[str, str] = {}
        self._asked = False
        self.why = "not_asked"

    @property
    def up(self) -> bool:
        """Every kind of work went through when it was last tried."""
        return self._asked and not self._troubles

    def took(self, doing: str) -> None:
        """Work of this kind went through."""
        self._asked = True
        self._troubles.pop(doing, None)
        self._tell()

    def refused(self, doing: str, error: Unavailable | DataRefused) -> None:
        """Work of this kind did not, and is tried again."""
        why = error.why if isinstance(error, Unavailable) else OTHER
        WRITER_DATABASE_TROUBLES.labels(why).inc()
        self._troubles[doing] = why
        self._tell(str(error))

    def _tell(self, detail: str = "") -> None:
        before, self.why = self.why, next(reversed(self._troubles.values()), "")
        WRITER_DATABASE_UP.set(self.up)
        if self.why == before:
            return
        if self.up:
            log.info("the database takes commits")
        else:
            log.warning("the database takes no commits: %s (%s); waiting for it", self.why, detail)
