"""Whether PostgreSQL keeps what it commits: asked at every connect of the store, and once a second.

What a session may choose, the writer chooses: ``synchronous_commit`` off would acknowledge a commit
before it is on a disk. What only the server can, it names, and in strict mode waits for.
"""

import logging
from typing import Any

from psycopg import Connection

from shared.metrics import WRITER_WEAK_PROMISE
from writer.database.connection import WEAK_PROMISE, Unavailable

log = logging.getLogger("writer")

# Set for the session even where it is right already: a reload cannot turn it off any more.
_ASK = """
SELECT current_setting('fsync'), current_setting('full_page_writes'),
  set_config('synchronous_commit', CASE current_setting('synchronous_commit')
    WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)
"""
FSYNC_OFF = "fsync off"
FULL_PAGE_WRITES_OFF = "full_page_writes off"
_REMEDIES = {
    FSYNC_OFF: "ALTER SYSTEM SET fsync = on; SELECT pg_reload_conf()",
    FULL_PAGE_WRITES_OFF: "ALTER SYSTEM SET full_page_writes = on; SELECT pg_reload_conf()",
}


class Promises:
    """What the database was last found to promise; ``weak``: what could lose a commit."""

    def __init__(self, strict: bool = True) -> None:
        self._strict = strict
        self.weak: tuple[str, ...] = ()
        self._show()

    def look(self, connection: Connection[Any]) -> None:
        """Ask, and see to this session's own. Raises Unavailable in strict mode, psycopg.Error."""
        with connection.transaction():
            row = connection.execute(_ASK).fetchone()
        assert row is not None
        settings = dict(zip((FSYNC_OFF, FULL_PAGE_WRITES_OFF), row[:2], strict=True))
        self._learn(tuple(name for name, value in settings.items() if value == "off"))
        self.require()

    def require(self) -> None:
        """Raises Unavailable where a commit might be lost and that is not wanted."""
        if self._strict and self.weak:
            raise Unavailable(", ".join(self.weak), WEAK_PROMISE)

    def _learn(self, weak: tuple[str, ...]) -> None:
        before, self.weak = self.weak, weak
        self._show()
        if weak and weak != before:
            log.error(
                "the database may lose what it commits (%s): %s; remedy: %s",
                ", ".join(weak),
                "nothing is stored" if self._strict else "used all the same, strict mode is off",
                "; ".join(_REMEDIES[name] for name in weak),
            )
        elif before and not weak:
            log.info("the database keeps what it commits")

    def _show(self) -> None:
        for name in _REMEDIES:
            WRITER_WEAK_PROMISE.labels(what=name).set(name in self.weak)
