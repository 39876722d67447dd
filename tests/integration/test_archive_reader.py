"""What the API does about files that are stale, missing, cut short or altered."""

import asyncio
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from api.database import open_pool
from api.query.answer import answer
from api.query.archive import Archive
from api.query.wire import Question
from api.sites import find_site
from shared.metrics import API_ARCHIVE_FAULTS
from tests.archive_world import roll_up, write_archive
from tests.writer_world import NOON, SITE, FakeEdge, Pipe, envelope, put_site
from writer.archive.record import Filed

ASKED = {
    "site_id": SITE,
    "metrics": ["visitors", "pageviews", "bounce_rate"],
    "date_range": ["2026-06-10", "2026-06-10"],
    "dimensions": ["visit:entry_page"],
    "filters": [["is", "visit:browser", ["Chrome"]]],
}
NOW = datetime(2026, 6, 20, tzinfo=UTC)


class World:
    """One archived day of one site, and the API's answers."""

    def __init__(self, database: str, folder: Path) -> None:
        self.database, self.folder = database, folder
        put_site(database)
        self._pipe = Pipe(database)
        self.store("/a", "/b", "/a")
        self.archive = Archive(folder, 256, 1)

    def store(self, *pages: str) -> None:
        beacons = [
            envelope(received_at=NOON, ip=f"203.0.113.{nth}", url=f"https://{SITE}{page}")
            for nth, page in enumerate(pages)
        ]
        self._pipe.put(FakeEdge().entry(beacons))

    def write(self) -> Filed:
        [filed] = write_archive(self.database, self.folder)
        return filed

    def ask(self) -> tuple[list[Any], list[str], list[str]]:
        """(results, sources, missing days)."""
        return asyncio.run(self._ask())

    async def _ask(self) -> tuple[list[Any], list[str], list[str]]:
        async with open_pool(self.database, 1) as pool:
            async with pool.connect() as db:
                found = await find_site(db, SITE, NOW)
            assert found is not None
            async with pool.connect() as db:
                wire = msgspec.convert(ASKED, Question)
                given = msgspec.to_builtins(await answer(db, found, wire, NOW, 20.0, self.archive))
        meta = given["meta"]
        return given["results"], meta["sources"], meta.get("missing_days", [])

    def close(self) -> None:
        self.archive.close()
        self._pipe.close()


@pytest.fixture
def world(database: str, tmp_path: Path) -> Iterator[World]:
    made = World(database, tmp_path / "archive")
    yield made
    made.close()


def spoil(file: Path, damage: str) -> None:
    whole = file.read_bytes()
    file.unlink()
    middle = len(whole) // 2
    if damage == "cut":
        file.write_bytes(whole[:middle])
    if damage == "altered":
        file.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])


def faults(damage: str) -> float:
    return float(API_ARCHIVE_FAULTS.labels(damage)._value.get())


def test_a_file_answers_as_the_rows_do(world: World) -> None:
    before, sources, _ = world.ask()
    assert sources == ["rows"]
    world.write()
    assert world.ask() == (before, ["archive"], [])
    assert [row["dimensions"] for row in before] == [["/a"], ["/b"]]


@pytest.mark.parametrize("damage", ["missing", "cut", "altered"])
def test_a_damaged_file_is_noticed_and_reported_and_rows_answer(world: World, damage: str) -> None:
    before, _, _ = world.ask()
    filed = world.write()
    spoil(world.folder / filed.path, damage)
    reported = faults(damage)
    assert world.ask() == (before, ["rows"], [])
    assert faults(damage) == reported + 1


@pytest.mark.parametrize("damage", ["missing", "cut", "altered"])
def test_a_damaged_file_that_is_the_only_record_makes_no_wrong_number(
    world: World, damage: str
) -> None:
    filed = world.write()
    with psycopg.connect(world.database, autocommit=True) as connection:
        connection.execute("delete from events")
        connection.execute("update site_day set state = 'file'")
    kept, sources, missing = world.ask()
    assert (sources, missing) == (["archive"], [])
    assert len(kept) == 2
    spoil(world.folder / filed.path, damage)
    results, _, missing = world.ask()
    assert (results, missing) == ([], ["2026-06-10"])


def test_a_stale_file_is_not_read(world: World) -> None:
    world.write()
    world.store("/late", "/late", "/late", "/late")
    with psycopg.connect(world.database, autocommit=True) as connection:
        roll_up(connection)
    results, sources, _ = world.ask()
    assert sources == ["rows"]
    assert ["/late"] in [row["dimensions"] for row in results]
    assert world.write().version == 2
    assert world.ask() == (results, ["archive"], [])


def test_a_file_that_was_moved_is_read_once_more_and_then_believed(world: World) -> None:
    filed = world.write()
    before = world.ask()
    file = world.folder / filed.path
    os.utime(file, (1, 1))
    assert world.ask() == before
    assert before[1] == ["archive"]


def test_a_file_that_goes_away_after_the_look_leaves_the_day_to_rows(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    filed = world.write()
    before, sources, _ = world.ask()
    assert sources == ["archive"]
    monkeypatch.setattr("api.query.archive_files.Checked.fault", lambda *_: None)
    (world.folder / filed.path).unlink()
    assert world.ask() == (before, ["rows"], [])


@pytest.mark.parametrize("is_believed", [False, True])
def test_a_byte_altered_with_size_and_time_set_back_leaves_the_day_to_rows(
    world: World, is_believed: bool
) -> None:
    file = world.folder / world.write().path
    before = world.ask()[0] if is_believed else None
    stat, held = file.stat(), bytearray(file.read_bytes())
    held[len(held) // 2] ^= 1
    file.chmod(0o600)
    file.write_bytes(held)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    results, sources, missing = world.ask()
    assert (sources, missing) == (["rows"], [])
    assert before in (None, results)
