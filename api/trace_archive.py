"""One event, looked for in the files of days whose rows have left the database."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import duckdb
import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.archive import PLAIN, split
from writer.tables import archive_file, site, site_day

log = logging.getLogger("api")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MEMORY_MB = 256
_HIDDEN = {"user_id"}
_JSON = ("props", "items", "vitals")
_SHOWN = [name for name in PLAIN if name not in _HIDDEN]
_COLUMNS = ", ".join(
    ("filename", "epoch_us(ts) AS ts_us", "late_us", "hour", *map('"{}"'.format, _SHOWN))
)


class TookTooLong(Exception):
    """The time limit has passed."""


class Filed(NamedTuple):
    """An event that stands in a file. ``event``: without what identifies a visitor."""

    site_id: int
    site: str | None
    event: dict[str, Any]


async def find_filed(
    db: AsyncConnection, folder: Path, event_id: UUID, within_s: float
) -> Filed | None:
    """Raises TookTooLong. A file that cannot be read holds nothing."""
    files = {str(folder / path): of for path, *of in await db.execute(_files())}
    row = await _in_thread(list(files), event_id, within_s) if files else None
    if row is None:
        return None
    file, ts_us, late_us, *values = row
    site_id, key, day = files[file]
    when = {"ts": _moment(ts_us), "received_at": _moment(ts_us + late_us), "day": day}
    rest = dict(zip(("hour", *_SHOWN), values, strict=True))
    rest |= {name: msgspec.json.decode(rest[name]) for name in _JSON if rest[name] is not None}
    return Filed(site_id, key, {"event_id": event_id, **when, **rest})


def _files() -> Any:
    mine = (archive_file.c.site_id == site_day.c.site_id) & (archive_file.c.day == site_day.c.day)
    columns = (archive_file.c.path, site.c.site_id, site.c.key, site_day.c.day)
    return (
        select(*columns)
        .select_from(site_day.join(archive_file, mine))
        .join(site, site.c.site_id == site_day.c.site_id)
        .where(site_day.c.state == "file")
    )


async def _in_thread(
    paths: Sequence[str], event_id: UUID, within_s: float
) -> tuple[Any, ...] | None:
    duck = duckdb.connect(":memory:", config={"memory_limit": f"{_MEMORY_MB}MB"})
    limit = asyncio.get_running_loop().call_later(within_s, duck.interrupt)
    try:
        return await asyncio.to_thread(_find, duck, paths, event_id)
    except duckdb.InterruptException:
        raise TookTooLong from None
    except duckdb.Error as error:
        log.warning("an event is not looked for in the archive: %s", type(error).__name__)
        return None
    finally:
        limit.cancel()
        duck.close()


def _find(duck: Any, paths: Sequence[str], event_id: UUID) -> tuple[Any, ...] | None:
    there = [path for path in paths if Path(path).is_file()]
    if not there:
        return None
    sought = " AND ".join(("boot = $2", "seq = $3", "idx = $4"))
    source = "read_parquet($1, filename = true)"
    asked = " ".join(("SELECT", _COLUMNS, "FROM", source, "WHERE", sought, "LIMIT 1"))
    row: tuple[Any, ...] | None = duck.execute(asked, [there, *split(event_id.int)]).fetchone()
    return row


def _moment(us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=us)
