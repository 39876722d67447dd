"""`millrace replay` into the whole product: what is stored, and what a second replay adds."""

import asyncio
import gzip
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result

from api.database import open_transaction
from api.keys import put_key
from api.sites import put_site
from infrastructure.local.product import Product
from infrastructure.problem import Problem
from infrastructure.verbs import replay as verb
from shared.snapshot import SCOPES

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
WITHIN_S = 120.0


def line(path: str, second: int = 0, address: str = "84.128.0.9", agent: str = FIREFOX) -> str:
    when = f"01/Mar/2024:23:59:{second:02d} +0100"
    return (
        f'{address} - - [{when}] "GET {path} HTTP/1.1" 200 99 "https://www.bing.com/" "{agent}"\n'
    )


class Import:
    """A site in a running product, an import key in a file, and the verb."""

    def __init__(self, product: Product, key_file: Path) -> None:
        self._product = product
        self._key_file = key_file
        key_file.write_text(asyncio.run(self._settle_in()) + "\n")

    def replay(self, *arguments: str) -> Result:
        return CliRunner().invoke(
            verb.command,
            [
                *arguments,
                *("--url", "https://example.com", "--edge", self._product.edge_url),
                *("--key-file", str(self._key_file)),
            ],
            catch_exceptions=False,
        )

    def rows(self, columns: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._product.postgres_url) as db:
            statement = f"select {columns} from events where commit_out is null order by ts, page"
            return db.execute(statement.encode()).fetchall()

    def until_rows(self, count: int) -> None:
        """Until so many events are stored, and the stream is empty."""
        self._until(lambda: len(self.rows("1")) >= count and not self._under_way())
        assert len(self.rows("1")) == count

    def settle(self) -> None:
        """Until everything sent has been looked at by the writer."""
        self._until(lambda: not self._under_way())

    def until_known(self) -> None:
        """Until the edge knows site and key."""
        empty = self._key_file.with_name("nothing.log")
        empty.write_text(line("/first"))

        def knows() -> bool:
            try:
                return self.replay(str(empty)).exit_code == 0
            except Problem:
                return False

        self._until(knows)

    def _under_way(self) -> int:
        with self._product.stack.primary.client() as client:  # type: ignore[attr-defined]
            return int(client.xlen("ingest:local"))

    def _until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WITHIN_S
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    async def _settle_in(self) -> str:
        async with open_transaction(self._product.postgres_url) as db:
            # The logs are of 2024, and kept on any date.
            settings = {"time_zone": "Europe/Berlin", "keep_days": 36_500}
            site = await put_site(db, "example.com", settings, datetime.now(UTC))
            _, key = await put_key(db, (SCOPES.IMPORT,), site.site_id, "replay")
            return key


@pytest.fixture
def imports(millrace: Product, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Import:
    monkeypatch.setenv("MILLRACE_STATE", str(tmp_path / "no-other-installation"))
    ready = Import(millrace, tmp_path / "key")
    ready.until_known()
    return ready


def test_a_log_is_stored_with_its_own_times_addresses_and_agents(
    imports: Import, tmp_path: Path
) -> None:
    log = tmp_path / "access.log"
    log.write_text(
        line("/a", 1)
        + line("/style.css", 1)
        + line("/b", 2)
        + line("/b", 2)
        + "no line of a log\n"
        + line("/c", 3, agent="Mozilla/5.0 (compatible; Googlebot/2.1)")
    )
    result = imports.replay(str(log))
    assert result.exit_code == 0, result.output
    imports.until_rows(5)
    stored = imports.rows("page, ts, day::text, source, browser, bot is not null")
    assert [row[0] for row in stored] == ["/first", "/a", "/b", "/b", "/c"]
    assert stored[1][1] == datetime(2024, 3, 1, 22, 59, 1, tzinfo=UTC)
    assert [row[2] for row in stored] == ["2024-03-01"] * 5
    assert stored[1][3:] == ("Bing", "Firefox", False)
    assert stored[4][5] is True
    visitors = [row[0] for row in imports.rows("visitor")]
    assert None not in visitors
    assert visitors[1] == visitors[2] == visitors[3] != visitors[4]


def test_a_second_replay_adds_nothing_and_a_grown_file_only_its_new_lines(
    imports: Import, tmp_path: Path
) -> None:
    lines = [line(f"/page/{n}", n % 60, f"84.128.{n // 200}.{n % 200 + 1}") for n in range(500)]
    lines += lines[:20]  # equal lines, of which each counts
    (tmp_path / "access.log").write_text("".join(lines))
    assert imports.replay(f"{tmp_path}/access.log").exit_code == 0
    imports.until_rows(1 + 520)
    (tmp_path / "access.log.gz").write_bytes(gzip.compress("".join(lines).encode()))
    assert imports.replay(f"{tmp_path}/access.log.gz").exit_code == 0
    imports.settle()
    imports.until_rows(1 + 520)
    (tmp_path / "access.log").write_text("".join(lines) + line("/new") + lines[0])
    assert imports.replay(f"{tmp_path}/access.log").exit_code == 0
    imports.until_rows(1 + 522)


def test_a_log_is_read_through_an_outage_of_the_primary(
    imports: Import, millrace: Product, tmp_path: Path
) -> None:
    (tmp_path / "access.log").write_text("".join(line(f"/page/{n}") for n in range(300)))
    millrace.stack.primary.stop()
    assert imports.replay(f"{tmp_path}/access.log").exit_code == 0
    millrace.stack.primary.start()
    imports.until_rows(1 + 300)


def test_a_key_that_the_edge_does_not_know_is_said_in_one_sentence(
    imports: Import, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("mr_wrong")
    (tmp_path / "access.log").write_text(line("/a"))
    with pytest.raises(Problem, match="status 401"):
        imports.replay(f"{tmp_path}/access.log")
