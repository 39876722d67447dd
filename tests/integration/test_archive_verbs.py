"""`archive write`, `list` and `verify`, what the watch tells, and the example of the docs."""

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import psycopg
import pytest
from click.testing import CliRunner, Result

from infrastructure.cli import cli
from shared.metrics import ARCHIVE_BYTES, ARCHIVE_DAMAGED, ARCHIVE_DUE, ARCHIVE_FILES
from tests.archive_world import roll_up
from tests.documents import DOCS, blocks
from tests.writer_world import NOON, FakeEdge, Pipe, envelope, put_site
from writer.archive.watch import look
from writer.known.zones import us

LONG_AGO = us(datetime(2024, 1, 5, 12, tzinfo=UTC))
DAY = "2024-01-05"


@pytest.fixture
def folder(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MILLRACE_POSTGRES_URL", database)
    monkeypatch.setenv("MILLRACE_PRIMARY_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("MILLRACE_ARCHIVE_FOLDER", str(tmp_path / "archive"))
    return tmp_path / "archive"


@pytest.fixture
def stored(database: str) -> None:
    put_site(database)
    pipe = Pipe(database, now=NOON)
    beacons = [envelope(received_at=LONG_AGO + nth * 1_000_000) for nth in range(3)]
    pipe.put(FakeEdge().entry(beacons))
    pipe.close()
    with psycopg.connect(database, autocommit=True) as connection:
        roll_up(connection)


def millrace(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["archive", *arguments])


@pytest.mark.usefixtures("stored")
def test_what_is_due_is_written_once_and_listed(folder: Path) -> None:
    assert "1 written" in millrace("write").output
    assert "Nothing is due." in millrace("write").output
    listed = millrace("list").output
    assert DAY in listed
    assert "current" in listed
    assert "1 files, 3 rows" in listed
    assert len(list(folder.rglob("*.parquet"))) == 1


@pytest.mark.usefixtures("stored", "folder")
def test_a_choice_that_means_nothing_is_refused() -> None:
    assert "There is no site nowhere" in millrace("write", "--site", "nowhere").output
    both = millrace("list", "--day", DAY, "--to", DAY)
    assert (both.exit_code, "not both" in both.output) == (1, True)
    assert "Nothing is due." in millrace("write", "--from", "2024-02-01").output


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("damage", ["missing", "cut", "altered"])
def test_verify_names_a_damaged_file_and_exits_1(folder: Path, damage: str) -> None:
    millrace("write")
    assert millrace("verify").output.endswith("1 files, 0 damaged\n")
    [file] = folder.rglob("*.parquet")
    whole = file.read_bytes()
    file.unlink()
    if damage != "missing":
        middle = bytes([whole[40] ^ 1])
        file.write_bytes(whole[:-9] if damage == "cut" else whole[:40] + middle + whole[41:])
    verified = millrace("verify")
    assert verified.exit_code == 1
    assert f"{damage}: site=" in verified.output
    assert damage in millrace("list").output
    assert "1 written" in millrace("write").output
    assert millrace("verify").exit_code == 0


@pytest.mark.usefixtures("stored", "folder")
def test_the_metrics_tell_how_the_archive_stands(database: str) -> None:
    look(database)
    assert (value(ARCHIVE_FILES), value(ARCHIVE_DUE)) == (0, 1)
    millrace("write")
    look(database)
    assert (value(ARCHIVE_FILES), value(ARCHIVE_DUE), value(ARCHIVE_DAMAGED)) == (1, 0, 0)
    assert value(ARCHIVE_BYTES) > 0


def value(gauge: object) -> float:
    [sample] = next(iter(gauge.collect())).samples  # type: ignore[attr-defined]
    return float(sample.value)


@pytest.mark.usefixtures("stored")
def test_the_example_of_the_docs_reads_the_files_with_nothing_of_ours(folder: Path) -> None:
    millrace("write")
    [example] = [block for block in blocks(DOCS / "archive.md") if block.info == "python"]
    found: dict[str, object] = {"folder": folder}
    exec(example.text, found)
    assert found["duckdb"] is duckdb
    assert found["found"] == [("", 1, 1, 0.0)]
