"""What a local installation holds, so that nobody deletes it without knowing."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from psycopg import Connection
from redis import Redis
from redis.exceptions import RedisError

from infrastructure.core_database import core_database
from infrastructure.local.installation import EDGE, read_installation
from infrastructure.local.post import Post
from infrastructure.local.server import POSTGRES_SETTING, PRIMARY_SETTING, SPOOL_SETTING
from infrastructure.local.stack import local_stack
from infrastructure.problem import Problem

_COUNTS = """
SELECT (SELECT count(*) FROM events WHERE commit_out IS NULL), pg_database_size(current_database()),
  (SELECT coalesce(array_agg(key ORDER BY key), '{}') FROM site WHERE removed_at IS NULL),
  (SELECT count(*) FROM owner), (SELECT count(*) FROM api_key WHERE revoked_at IS NULL),
  (SELECT count(*) FROM quarantine WHERE state = 'held')
"""


class Contents(NamedTuple):
    """``waiting``: batches at the primary and in the spool that no table has yet."""

    events: int
    database_bytes: int
    sites: list[str]
    owners: int
    api_keys: int
    quarantined: int
    waiting: int


def read_contents(settings: Mapping[str, str]) -> Contents:
    """Of servers that run; ``settings`` holds their addresses. Raises Problem."""
    with core_database(settings[POSTGRES_SETTING]) as connection:
        counted = _count(connection)
    waiting = sum(_waiting(settings[each]) for each in (PRIMARY_SETTING, SPOOL_SETTING))
    return Contents(*counted, waiting)


@contextmanager
def started(folder: Path, environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The addresses of its servers, which run within the block. Raises Problem."""
    installation = read_installation(folder)
    if installation is None:
        raise Problem(f"{folder} holds no installation that was ever whole.")
    with (
        Post(folder).held(),
        local_stack(folder, installation.stack.with_free_ports(), environment) as stack,
    ):
        yield {
            POSTGRES_SETTING: stack.postgres_url,
            PRIMARY_SETTING: stack.primary_url,
            SPOOL_SETTING: stack.spool_url,
        }


def folder_bytes(folder: Path) -> int:
    """What its files take on the disk."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*"))


def _count(connection: Connection[tuple[object, ...]]) -> tuple[int, int, list[str], int, int, int]:
    row = connection.execute(_COUNTS).fetchone()
    assert row is not None
    return row  # type: ignore[return-value]


def _waiting(url: str) -> int:
    try:
        with Redis.from_url(url, socket_timeout=5) as redis:
            return int(redis.xlen(f"ingest:{EDGE}"))
    except RedisError as error:
        raise Problem(f"A Redis cannot be asked what waits in it ({type(error).__name__}).") from (
            error
        )
