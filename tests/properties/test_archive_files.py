"""A file holds its site-day's rows to the last bit, and the visits that the oracle sees."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from api.database import open_pool
from shared import receipt
from shared.archive import COLUMNS, PLAIN, joined, split
from tests.archive_world import write_archive
from tests.oracle.store import store
from tests.oracle.traffic import Event, traffic

bounded = settings(
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
HOSTILE = ("", "\\N", '"', '""', ",", "\n", "\r\n", "'", "\\", "NULL", "\u2028", 'a,b\n"c"\r', " ")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HALF_AN_HOUR_US = 30 * 60 * 1_000_000

Row = dict[str, Any]


class Archive:
    """Sites stored and written, read back with DuckDB. Every example is a site of its own."""

    def __init__(self, database: str, folder: Path) -> None:
        self.database, self.folder, self.names = database, folder, count()

    def write(self, zone: str, rows: list[Event]) -> tuple[list[Event], list[Row]]:
        """(the rows as stored, the rows of all of the site's files, in the files' order)."""
        found, placed = asyncio.run(self._store(zone, rows))
        filed = [f for f in write_archive(self.database, self.folder) if f.site == found.key]
        assert {f.day for f in filed} == {event["day"] for event in placed}
        return placed, [row for f in filed for row in self._read(self.folder / f.path, f.day)]

    async def _store(self, zone: str, rows: list[Event]) -> Any:
        async with open_pool(self.database, 1) as pool:
            return await store(pool, f"site-{next(self.names)}", zone, rows)

    def _read(self, file: Path, day: Any) -> list[Row]:
        plain = ", ".join(f'"{name}"' for name in COLUMNS if name != "ts")
        with duckdb.connect() as duck:
            asked = duck.execute(
                f"SELECT epoch_us(ts) AS us, {plain} FROM read_parquet(?)", [str(file)]
            )
            names = [column[0] for column in asked.description]
            rows = [dict(zip(names, row, strict=True)) for row in asked.fetchall()]
        return [{**row, "day": day, "props": parsed(row["props"])} for row in rows]


@pytest.fixture
def archive(database: str, tmp_path: Path) -> Archive:
    return Archive(database, tmp_path / "archive")


def parsed(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def us(event: Event) -> int:
    since: timedelta = event["ts"] - EPOCH
    return since // timedelta(microseconds=1)


def there(placed: list[Event]) -> list[Event]:
    """As of the last commit."""
    return [event for event in placed if event["commit_out"] is None]


@settings(bounded, max_examples=25)
@given(data=st.data())
def test_a_file_holds_the_rows_to_the_last_bit(archive: Archive, data: st.DataObject) -> None:
    zone, rows = data.draw(traffic())
    for row in rows:
        row["title"] = data.draw(st.sampled_from(HOSTILE))
        row["user_id"] = data.draw(st.sampled_from((None, *HOSTILE)))
    placed, found = archive.write(zone, rows)
    names = ("day", "hour", "visitor", *(n for n in PLAIN if n in rows[0]))
    expected = {(us(e), e["event_id"].int): [e[name] for name in names] for e in there(placed)}
    got = {
        (r["us"], joined(r["boot"], r["seq"], r["idx"])): [r[name] for name in names] for r in found
    }
    assert len(found) == len(got)
    assert got == expected
    assert {row["late_us"] for row in found} <= {0}


@settings(bounded, max_examples=25)
@given(data=st.data())
def test_visits_are_numbered_and_measured_as_the_oracle_does(
    archive: Archive, data: st.DataObject
) -> None:
    zone, rows = data.draw(traffic())
    placed, found = archive.write(zone, rows)
    expected = numbered(there(placed))
    assert {of(row): (row["visit_no"], measures(row)) for row in found} == expected


@settings(bounded, max_examples=15)
@given(data=st.data())
def test_a_day_read_in_pieces_is_the_same(archive: Archive, data: st.DataObject) -> None:
    zone, rows = data.draw(traffic())
    rows += [{**row, "visitor": (row["visitor"] or 0) + 7} for row in rows]
    rows = [{**row, "event_id": UUID(int=nth)} for nth, row in enumerate(rows)]
    with pytest.MonkeyPatch.context() as patch:
        # Every visitor is a piece.
        patch.setattr("writer.archive.rows.PIECE_OF_MEMORY", 1e-12)
        placed, found = archive.write(zone, rows)
    expected = numbered(there(placed))
    assert len(found) == len(expected)
    assert {of(row): (row["visit_no"], measures(row)) for row in found} == expected


@settings(bounded, max_examples=15)
@given(data=st.data())
def test_a_visitors_rows_stand_together_and_in_time(archive: Archive, data: st.DataObject) -> None:
    zone, rows = data.draw(traffic())
    _, found = archive.write(zone, rows)
    last: dict[Any, tuple[int, tuple[int, int]]] = {}
    for place, row in enumerate(found):
        if row["visitor"] is None:
            continue
        who = row["day"], row["visitor"]
        now = row["us"], joined(row["boot"], row["seq"], row["idx"])
        if who in last:
            assert last[who][0] == place - 1
            assert last[who][1] < now
        last[who] = place, now


@given(st.integers(0, 2**128 - 1))
def test_any_event_id_comes_back_from_its_three_parts(event_id: int) -> None:
    boot, seq, idx = split(event_id)
    assert (boot >> 48, seq >> 64, idx >> 16) == (0, 0, 0)
    assert joined(boot, seq, idx) == event_id


@given(
    st.integers(0, receipt.MAX_BOOT),
    st.integers(0, receipt.MAX_SEQ),
    st.integers(0, receipt.MAX_INDEX),
)
def test_the_parts_of_a_counted_id_are_its_place(boot: int, seq: int, index: int) -> None:
    assert split(receipt.counted(boot, seq, index)) == (boot, seq, index)


def of(row: Row) -> tuple[int, int]:
    """(instant, id)."""
    return row["us"], joined(row["boot"], row["seq"], row["idx"])


def measures(row: Row) -> Any:
    """What stands on a visit's first row; entry and exit with their default filled in."""
    if row["visit_views"] is None:
        assert {v for n, v in row.items() if n.startswith("visit_") and n != "visit_no"} == {None}
        return None
    ends = [
        row[f"visit_{end}_{what}"] if row[f"visit_{end}_{what}"] is not None else row[what]
        for end in ("entry", "exit")
        for what in ("page", "hostname")
    ]
    names = ("visit_views", "visit_events", "visit_bounced", "visit_lasted_ms")
    return [*(row[name] for name in names), *ends]


def numbered(placed: list[Event]) -> dict[Any, Any]:
    """(instant, id) → (number of its visit, the visit's measures if it is its first event)."""
    visits: dict[Any, list[list[Event]]] = {}
    numbers: dict[Any, int | None] = {}
    for event in sorted(placed, key=lambda e: (e["ts"], e["event_id"])):
        key, who = (us(event), event["event_id"].int), (event["day"], event["visitor"])
        numbers[key] = None
        if event["visitor"] is None or event["bot"] is not None:
            continue
        mine = visits.setdefault(who, [])
        if event["name"] != "engagement":
            if mine and us(event) - us(mine[-1][-1]) <= HALF_AN_HOUR_US:
                mine[-1].append(event)
            else:
                mine.append([event])
        numbers[key] = len(mine) or None
    firsts = {
        (us(visit[0]), visit[0]["event_id"].int): visit
        for mine in visits.values()
        for visit in mine
    }
    return {
        key: (number, measured(firsts[key]) if key in firsts else None)
        for key, number in numbers.items()
    }


def measured(visit: list[Event]) -> list[Any]:
    views = [event for event in visit if event["name"] == "pageview"]
    others = [e for e in visit if e["interactive"] and e["name"] != "pageview"]
    bounced = len(views) == 1 and not others
    ends = [views[at][what] if views else "" for at in (0, -1) for what in ("page", "hostname")]
    return [len(views), len(visit), bounced, (us(visit[-1]) - us(visit[0])) // 1000, *ends]
