"""One line of a log, whoever wrote it: when, and what to show. Pure."""

import re
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from infrastructure.plain_text import plain

EARLIEST = datetime.min.replace(tzinfo=UTC)
_REDIS = re.compile(r"\d+:\w (\d{2} \w{3} \d{4} \d{2}:\d{2}:\d{2}\.\d{3}) (.*)")
_POSTGRES = re.compile(r"(\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}\.\d{3}) (?:GMT|UTC) (.*)")


class Line(NamedTuple):
    """``at``: when it was written; of a line that does not say so, when the one before it was.
    ``raw``: as it stands in the file. ``text``: as it is shown, without its time."""

    at: datetime
    source: str
    raw: str
    text: str


class _Said(msgspec.Struct):
    time: datetime
    level: str
    message: str
    trace: str = ""


_said = msgspec.json.Decoder(_Said)


def read_line(source: str, raw: str, before: datetime = EARLIEST) -> Line:
    """``before``: the time of the line above it."""
    at, text = _take_apart(raw)
    return Line(at or before, source, raw, text)


def _take_apart(raw: str) -> tuple[datetime | None, str]:
    if raw.startswith("{"):
        try:
            said = _said.decode(raw)
        except (msgspec.MsgspecError, UnicodeError):
            return None, plain(raw)
        return said.time, _shown(said)
    if found := _REDIS.fullmatch(raw):
        # In the machine's own zone.
        return datetime.strptime(found[1], "%d %b %Y %H:%M:%S.%f").astimezone(UTC), plain(found[2])
    if found := _POSTGRES.fullmatch(raw):
        return datetime.fromisoformat(found[1]).replace(tzinfo=UTC), plain(found[2])
    return None, plain(raw)


def _shown(said: _Said) -> str:
    traced = "".join(f"\n    {plain(line)}" for line in said.trace.splitlines())
    return f"{said.level:<7}  {plain(said.message)}{traced}"
