"""The relations of the shared statements, over files instead of rows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ARRAY,
    CTE,
    ColumnElement,
    Select,
    Text,
    and_,
    bindparam,
    false,
    func,
    literal_column,
    select,
    text,
)

from api.query.archive_files import File
from api.query.conditions import holds
from api.query.plan import Needs
from api.query.props import ABSENT, is_prop
from api.query.statements import Relations
from api.query.visits import ALWAYS
from api.query.vocabulary import DIMENSIONS, OF_ITS_LAST, OF_ITS_PAGEVIEWS, Dimension
from shared.beacon import ENGAGEMENT

_FILES = (
    "read_parquet(:paths, hive_partitioning = true, hive_types = {'site': BIGINT, 'day': DATE})"
)
_KEY = ("day", "visitor", "visit_no")


def relations(folder: Path, files: Sequence[File], needed: Needs) -> Relations:
    """Over all of some files, of which there is one at least."""
    numbered = numbered_of(folder, files, needed)
    if not needed.numbered:
        return Relations(numbered, None)
    return Relations(numbered, _visits_of(folder, files, needed, numbered))


def numbered_of(folder: Path, files: Sequence[File], needed: Needs) -> CTE:
    """A row an event, robots left out."""
    names = {*ALWAYS, *needed.event_columns} - {"event_id"}
    if needed.numbered:
        names |= {"visit_no", "page"}
    shown = {name: own(name) for name in sorted(names)}
    counts = "bot IS NULL" if needed.engaged else f"bot IS NULL AND name <> '{ENGAGEMENT}'"
    return from_files(folder, files, shown, counts, "numbered")


def select_values(
    folder: Path, files: Sequence[File], dimension: Dimension, limit: int
) -> Select[Any]:
    """Every value of an event's column; a visit's are among them."""
    shown = {"value": own(dimension.column)}
    values = from_files(folder, files, shown, "bot IS NULL", "values_of_files")
    return select(values.c.value).distinct().limit(limit)


def select_bots(folder: Path, files: Sequence[File]) -> Select[Any]:
    """Robots, which count nowhere else: (rule, day, events)."""
    shown = {"bot": "bot", "day": "day"}
    bots = from_files(folder, files, shown, "bot IS NOT NULL", "bots_of_files")
    return select(bots.c.bot, bots.c.day, func.count()).group_by(bots.c.bot, bots.c.day)


def _visits_of(folder: Path, files: Sequence[File], needed: Needs, numbered: CTE) -> CTE:
    """A row a visit: its first event's, which has the visit's measures beside it."""
    shown = {name: own(name) for name in _KEY} | MEASURES
    shown |= {name: of_visit(name) for name in sorted(needed.visit_dimensions)}
    visits = from_files(folder, files, shown, "visit_views IS NOT NULL", "of_files")
    if not needed.deeds:
        return visits
    done = (
        select(*(numbered.c[name] for name in _KEY), *_deeds(needed, numbered))
        .where(numbered.c.visit_no.is_not(None), numbered.c.name != ENGAGEMENT)
        .group_by(*(numbered.c[name] for name in _KEY))
        .cte("done")
    )
    of_visit_too = and_(*(done.c[name] == visits.c[name] for name in _KEY))
    columns = (each for each in done.c if each.name not in _KEY)
    return select(*visits.c, *columns).select_from(visits.join(done, of_visit_too)).cte("visits")


def _deeds(needed: Needs, numbered: CTE) -> list[ColumnElement[bool]]:
    return [
        func.coalesce(func.bool_or(holds(deed.part, numbered, None)), false()).label(deed.column)
        for deed in needed.deeds
    ]


MEASURES = {
    "views": "visit_views",
    "bounced": "visit_bounced::INTEGER",
    "lasted_ms": "visit_lasted_ms",
}


def own(name: str) -> str:
    """An event's own column, in DuckDB's words."""
    return _prop(name) if is_prop(name) else f'"{name}"'


def of_visit(name: str) -> str:
    """A visit's dimension, on the row of its first event."""
    column = DIMENSIONS[name].column
    if name not in OF_ITS_PAGEVIEWS:
        return f'"{column}"'
    end = "exit" if name in OF_ITS_LAST else "entry"
    return f"coalesce(visit_{end}_{column}, {column})"


def _prop(name: str) -> str:
    # As a pointer (RFC 6901): DuckDB takes a plain key that begins with $ or / for a path.
    key = name.removeprefix("props:").replace("~", "~0").replace("/", "~1")
    value = f"json_extract_string(coalesce(props_text, props), {_literal('/' + key)})"
    return f"coalesce(nullif({value}, ''), '{ABSENT}')"


def from_files(
    folder: Path, files: Sequence[File], shown: dict[str, str], where: str, name: str
) -> CTE:
    """Columns by name, in DuckDB's words, of the rows that a condition holds for."""
    paths = bindparam("paths", [str(folder / file.path) for file in files], ARRAY(Text))
    columns: list[ColumnElement[Any]] = [
        literal_column(source).label(each) for each, source in shown.items()
    ]
    found = text(_FILES).bindparams(paths)
    return select(*columns).select_from(found).where(literal_column(where)).cte(name)


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
