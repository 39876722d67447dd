"""One site's stored days under the names of many others, as if each had sent the same.

Rows, rollups and the list of files are copied in SQL; the files are linked. Sizes and plans are
those of so many sites; only what they hold is alike.
"""

import os
from pathlib import Path
from typing import Any

import psycopg

_TABLES = ("site_setting", "site_day", "events", "rollup_day", "rollup_hour", "archive_file")
_NAMES = """
SELECT column_name FROM information_schema.columns
WHERE table_schema = 'public' AND table_name = %s AND column_name <> 'site_id'
"""


def multiply(database: str, archive: Path, site_id: int, more: int) -> None:
    """``more`` copies of a site."""
    with psycopg.connect(database) as connection:
        ids = [
            connection.execute(
                "INSERT INTO site (key) VALUES (%s) RETURNING site_id", [f"copy-{n}.example"]
            ).fetchone()
            for n in range(more)
        ]
        numbers = [row[0] for row in ids if row is not None]
        for table in _TABLES:
            _copy(connection, table, site_id, numbers)
    for number in numbers:
        _link(archive / f"site={site_id}", archive / f"site={number}")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")


def _copy(connection: psycopg.Connection[Any], table: str, site_id: int, others: list[int]) -> None:
    names = [name for (name,) in connection.execute(_NAMES, [table])]
    values = [
        f"replace(path, 'site={site_id}/', 'site=' || other || '/')" if name == "path" else name
        for name in names
    ]
    statement = (
        f"INSERT INTO {table} (site_id, {', '.join(names)}) SELECT other, {', '.join(values)}"
        f" FROM {table} CROSS JOIN unnest(%s::int[]) AS other WHERE site_id = {site_id}"
    )
    connection.execute(statement.encode(), [others])


def _link(source: Path, target: Path) -> None:
    for file in source.rglob("*.parquet"):
        linked = target / file.relative_to(source)
        linked.parent.mkdir(parents=True, exist_ok=True)
        os.link(file, linked)
