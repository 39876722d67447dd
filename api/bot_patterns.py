"""Named patterns of robots, of one site or of the whole installation, with their history.

A pattern is never changed: it is added from now on, and ends when it is removed. The writer reads
them as of when an event was received.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.beacon import longer
from shared.bots import BadPattern, Judge, Kind, Pattern, check_pattern, packaged_rule_of, steps_of
from shared.errors import Code, Refusal
from writer.tables import bot_pattern

MAX_NAME = 100
"""Bytes of a name."""
MAX_PATTERNS = 100
"""In force for one site, and for the installation."""
MAX_STEPS = 5_000
"""Of all of these together, lest one site's patterns delay every site's events."""

_LOCK = 0xB07


class BotPattern(msgspec.Struct, frozen=True):
    """``everywhere``: of the installation. ``kind``: user_agent or network. ``allows``: what
    matches is no robot. ``valid_until``: null while it is in force."""

    id: int
    everywhere: bool
    name: str
    kind: str
    pattern: str
    allows: bool
    valid_from: datetime
    valid_until: datetime | None


class Verdict(msgspec.Struct, frozen=True):
    """``rule``: the name or the packaged rule that says robot, null where it counts as somebody.
    ``by``: packaged, or the pattern that decides, null where nothing matches."""

    rule: str | None
    by: BotPattern | str | None


async def read_patterns(
    db: AsyncConnection, site_id: int | None, *, past: bool = False
) -> list[BotPattern]:
    """Of a site, or with None of the installation; in the order in which they are asked."""
    column = bot_pattern.c
    statement = select(bot_pattern).where(_whose(site_id)).order_by(column.pattern_id)
    if not past:
        statement = statement.where(column.valid_until.is_(None))
    return [
        BotPattern(
            row.pattern_id,
            row.site_id is None,
            row.name,
            row.kind,
            row.pattern,
            row.allows,
            row.valid_from,
            row.valid_until,
        )
        for row in await db.execute(statement)
    ]


async def put_pattern(
    db: AsyncConnection, site_id: int | None, pattern: Pattern, now: datetime
) -> BotPattern:
    """One that holds from now on. Raises Refusal."""
    _check(pattern)
    await db.execute(select(func.pg_advisory_xact_lock(_LOCK, site_id or 0)))
    there = await read_patterns(db, site_id)
    if len(there) >= MAX_PATTERNS:
        raise Refusal(Code.TOO_MANY, f"there are {MAX_PATTERNS} patterns: remove one first")
    if any(_same(known, pattern) for known in there):
        raise Refusal(Code.CONFLICT, f"{pattern.pattern!r} is there already", field="pattern")
    known_steps = sum(steps_of(Pattern(p.name, p.kind, p.pattern)) for p in there)
    if known_steps + steps_of(pattern) > MAX_STEPS:
        raise Refusal(
            Code.TOO_MANY,
            "the patterns together take too long to look for: remove one, or repeat less in them",
            field="pattern",
        )
    statement = insert(bot_pattern).values(site_id=site_id, valid_from=now, **pattern._asdict())
    number = await db.scalar(statement.returning(bot_pattern.c.pattern_id))
    return BotPattern(int(number or 0), site_id is None, *pattern, now, None)


async def end_pattern(
    db: AsyncConnection, site_id: int | None, pattern_id: int, now: datetime
) -> None:
    """Events received from now on meet it no more. Raises Refusal where it is not in force."""
    column = bot_pattern.c
    statement = (
        update(bot_pattern)
        .where(_whose(site_id), column.pattern_id == pattern_id, column.valid_until.is_(None))
        .values(valid_until=func.greatest(now, column.valid_from))
        .returning(column.pattern_id)
    )
    if (await db.execute(statement)).first() is None:
        raise Refusal(Code.NOT_FOUND, f"there is no pattern {pattern_id} in force here")


async def judge(db: AsyncConnection, site_id: int | None, user_agent: str, ip: str) -> Verdict:
    """What the patterns of now and the packaged list say."""
    patterns = await read_patterns(db, site_id) if site_id is not None else []
    patterns += await read_patterns(db, None)
    found = _first(patterns, user_agent, ip)
    if found is not None:
        return Verdict(None if found.allows else found.name, found)
    rule = packaged_rule_of(user_agent)
    return Verdict(rule, rule and "packaged")


def _first(patterns: Sequence[BotPattern], user_agent: str, ip: str) -> BotPattern | None:
    asked = Judge([Pattern(known.name, known.kind, known.pattern) for known in patterns])
    matches = [asked.agent_match(user_agent), asked.network_match(ip)]
    first = min((place for place in matches if place is not None), default=None)
    return None if first is None else patterns[first]


def _check(pattern: Pattern) -> None:
    name = pattern.name
    if not name.strip() or not name.isprintable():
        raise Refusal(Code.BAD_VALUE, "a name is text that prints", field="name")
    if longer(name, MAX_NAME):
        raise Refusal(Code.TOO_LONG, f"`name` is over {MAX_NAME} bytes", field="name")
    if pattern.kind not in tuple(Kind):
        raise Refusal(Code.BAD_VALUE, f"`kind` is none of {', '.join(Kind)}", field="kind")
    try:
        check_pattern(pattern)
    except BadPattern as error:
        raise Refusal(Code.BAD_VALUE, str(error), field="pattern") from None


def _same(known: BotPattern, pattern: Pattern) -> bool:
    return (known.kind, known.pattern) == (pattern.kind, pattern.pattern)


def _whose(site_id: int | None) -> ColumnElement[bool]:
    column = bot_pattern.c.site_id
    return column.is_(None) if site_id is None else column == site_id
