"""What the database knows of files: table ``archive_file``, and which site-days lack one."""

from datetime import date, datetime
from typing import Any, NamedTuple

from psycopg import Connection
from psycopg.rows import class_row

from shared.archive import DEFINITION, file_path
from writer.archive.rows import Wanted

WITH_ROWS = ("open", "archived")
_CLOSED_AFTER = "interval '24 hours'"
_DUE = f"""
SELECT d.site_id, d.day FROM site_day d LEFT JOIN archive_file f USING (site_id, day)
WHERE (d.state IN ('open', 'archived') AND d.touched > 0
  AND d.ends_at + {_CLOSED_AFTER} <= %(final)s
  AND (f.day IS NULL OR f.commit_no < d.touched OR f.definition <> %(definition)s
    OR f.fault IS NOT NULL))
  OR (d.state = 'file' AND f.definition <> %(definition)s AND f.fault IS NULL)
ORDER BY d.day, d.site_id
"""
_SEEN = """
SELECT d.starts_at, d.ends_at, d.state, d.touched, p.commit_no AS rolled, p.looked_at,
  coalesce(f.version, 0) AS version, f.definition, f.commit_no AS filed, f.path, f.rows, f.sha256
FROM site_day d CROSS JOIN rollup_progress p LEFT JOIN archive_file f USING (site_id, day)
WHERE d.site_id = %(site_id)s AND d.day = %(day)s
"""
_LOCK = """
SELECT d.state, d.touched, coalesce(f.version, 0) FROM site_day d
LEFT JOIN archive_file f USING (site_id, day)
WHERE d.site_id = %(site_id)s AND d.day = %(day)s FOR UPDATE OF d
"""
_PUT = """
INSERT INTO archive_file (site_id, day, commit_no, version, definition, path, rows, bytes, sha256,
  mtime_ns, steady, verified_at)
VALUES (%(site_id)s, %(day)s, %(commit_no)s, %(version)s, %(definition)s, %(path)s, %(rows)s,
  %(size)s, %(sha256)s, %(mtime_ns)s, %(steady)s, clock_timestamp())
ON CONFLICT (site_id, day) DO UPDATE SET commit_no = excluded.commit_no,
  version = excluded.version, definition = excluded.definition, path = excluded.path,
  rows = excluded.rows, bytes = excluded.bytes, sha256 = excluded.sha256,
  mtime_ns = excluded.mtime_ns, steady = excluded.steady, verified_at = excluded.verified_at,
  written_at = clock_timestamp(), fault = NULL
"""
_MARK = """
UPDATE site_day SET state = 'archived' WHERE site_id = %(site_id)s AND day = %(day)s
  AND state = 'open'
"""
_ALL = """
SELECT s.key AS site, f.site_id, f.day, d.state, f.commit_no, f.version, f.path, f.rows,
  f.bytes AS size,  f.sha256, f.mtime_ns, f.written_at, f.verified_at, f.fault,
  f.commit_no < d.touched OR f.definition <> %(definition)s AS stale
FROM archive_file f JOIN site_day d USING (site_id, day) JOIN site s USING (site_id)
WHERE (%(site_id)s::int IS NULL OR f.site_id = %(site_id)s)
  AND (%(first)s::date IS NULL OR f.day >= %(first)s)
  AND (%(last)s::date IS NULL OR f.day <= %(last)s)
ORDER BY s.key, f.day
"""
_FAULT = """
UPDATE archive_file SET fault = %(fault)s, verified_at = clock_timestamp(),
  mtime_ns = coalesce(%(mtime_ns)s, mtime_ns)
WHERE site_id = %(site_id)s AND day = %(day)s AND version = %(version)s
"""


class SiteDay(NamedTuple):
    """A day of a site."""

    site_id: int
    day: date


class Choice(NamedTuple):
    """Which site-days a command means; None: all."""

    site_id: int | None = None
    first: date | None = None
    last: date | None = None

    def takes(self, each: SiteDay) -> bool:
        """Whether a site-day is one of them."""
        return (
            self.site_id in (None, each.site_id)
            and (self.first is None or each.day >= self.first)
            and (self.last is None or each.day <= self.last)
        )


class Seen(NamedTuple):
    """A site-day as its snapshot shows it. ``rolled``: the commit that the rollups hold for. What
    follows ``version`` is of its file, if it has one; ``filed``: the commit that it holds for."""

    starts_at: datetime
    ends_at: datetime
    state: str
    touched: int
    rolled: int
    looked_at: datetime | None
    version: int
    definition: int | None
    filed: int | None
    path: str | None
    rows: int | None
    sha256: bytes | None


class Filed(NamedTuple):
    """A row of ``archive_file`` with its site-day. ``stale``: rows have changed since."""

    site: str
    site_id: int
    day: date
    state: str
    commit_no: int
    version: int
    path: str
    rows: int
    size: int
    sha256: bytes
    mtime_ns: int
    written_at: datetime
    verified_at: datetime | None
    fault: str | None
    stale: bool


class Made(NamedTuple):
    """A file that stands on the disk under its name."""

    rows: int
    size: int
    sha256: bytes
    mtime_ns: int
    steady: list[str]


def read_due(connection: Connection[Any], final: datetime, choice: Choice) -> list[SiteDay]:
    """Closed and complete site-days without a current file, the oldest first, and those whose file
    is the record and of another definition. ``final``: nothing received before it is still to
    come."""
    values = {"final": final, "definition": DEFINITION}
    found = [SiteDay(*row) for row in connection.execute(_DUE, values)]
    return [each for each in found if choice.takes(each)]


def see(connection: Connection[Any], each: SiteDay) -> Seen | None:
    """The site-day, in the snapshot of the transaction that is open."""
    with connection.cursor(row_factory=class_row(Seen)) as cursor:
        return cursor.execute(_SEEN, each._asdict()).fetchone()


def put_record(
    connection: Connection[Any],
    wanted: Wanted,
    version: int,
    made: Made,
    states: tuple[str, ...] = WITH_ROWS,
) -> bool:
    """Make a file the site-day's own, unless it is no longer what the rows are. In a transaction
    that is open; False: let go of the file. ``states``: where what it was made from stood."""
    key = {"site_id": wanted.site_id, "day": wanted.day}
    row = connection.execute(_LOCK, key).fetchone()
    if row is None:
        return False
    state, touched, standing = row
    if state not in states or touched > wanted.commit or standing >= version:
        return False
    values = {
        **key,
        **made._asdict(),
        "commit_no": wanted.commit,
        "version": version,
        "definition": DEFINITION,
        "path": file_path(wanted.site_id, wanted.day, version),
    }
    connection.execute(_PUT, values)
    connection.execute(_MARK, key)
    return True


def read_filed(connection: Connection[Any], choice: Choice) -> list[Filed]:
    """Every file, by site and day."""
    with connection.cursor(row_factory=class_row(Filed)) as cursor:
        return cursor.execute(_ALL, {**choice._asdict(), "definition": DEFINITION}).fetchall()


def put_verdict(
    connection: Connection[Any], filed: Filed, fault: str | None, mtime_ns: int | None
) -> bool:
    """Write down what a look at a file has found; False: the day has another by now, or none."""
    values = {**filed._asdict(), "fault": fault, "mtime_ns": mtime_ns}
    return connection.execute(_FAULT, values).rowcount > 0
