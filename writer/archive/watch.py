"""How the archive stands, as metrics of the jobs worker; a job's own fork would take them away."""

import logging
import threading

import psycopg

from shared.archive import DEFINITION
from shared.metrics import (
    ARCHIVE_BYTES,
    ARCHIVE_DAMAGED,
    ARCHIVE_DUE,
    ARCHIVE_FILES,
    ARCHIVE_STALE,
    ARCHIVE_WRITTEN,
)
from writer.database.connection import Unavailable, connect

log = logging.getLogger("jobs")

_EVERY_S = 60.0
_READ = """
SELECT count(f.day), coalesce(sum(f.bytes), 0)::bigint,
  count(*) FILTER (WHERE f.commit_no < d.touched OR f.definition <> %(definition)s),
  count(*) FILTER (WHERE f.fault IS NOT NULL),
  count(*) FILTER (WHERE d.state IN ('open', 'archived') AND d.touched > 0
    AND d.ends_at < now() - interval '3 days'
    AND (f.day IS NULL OR f.commit_no < d.touched)),
  coalesce(extract(epoch from max(f.written_at)), 0)
FROM site_day d LEFT JOIN archive_file f USING (site_id, day)
"""


def look(postgres_url: str) -> None:
    """Set the metrics. Raises psycopg.Error and Unavailable."""
    with connect(postgres_url, autocommit=True) as connection:
        row = connection.execute(_READ, {"definition": DEFINITION}).fetchone()
    if row is not None:
        gauges = (ARCHIVE_FILES, ARCHIVE_BYTES, ARCHIVE_STALE, ARCHIVE_DAMAGED, ARCHIVE_DUE)
        for gauge, value in zip((*gauges, ARCHIVE_WRITTEN), row, strict=True):
            gauge.set(float(value))


def watch(postgres_url: str) -> threading.Thread:
    """Look once a minute, for as long as the process lives."""

    def run() -> None:
        while True:
            try:
                look(postgres_url)
            except (psycopg.Error, Unavailable) as error:
                log.debug("the archive's state is not known now: %s", type(error).__name__)
            threading.Event().wait(_EVERY_S)

    thread = threading.Thread(target=run, name="archive-watch", daemon=True)
    thread.start()
    return thread
