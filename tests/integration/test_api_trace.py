"""Where one event is, by its receipt, from the API and from the command line."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine

from api.trace import standing
from infrastructure.cli import cli
from shared import receipt
from tests.integration.api_service import ApiService, api_service, error
from tests.writer_world import NOON, FakeEdge, Pipe, client_id, envelope, put_edge, put_site
from writer.migrate import sqlalchemy_url
from writer.prepare import Entry
from writer.quarantine.held import discard, find_held

pytestmark = pytest.mark.anyio


@pytest.fixture
def pipe(database: str, pipe: Pipe) -> Pipe:
    put_edge(database)
    return pipe


@pytest.fixture
async def api(database: str, pipe: Pipe) -> AsyncIterator[ApiService]:
    async with api_service(database) as service:
        service.client.headers.update(await service.key("query"))
        yield service


async def trace_of(api: ApiService, event_id: int | UUID) -> dict[str, Any]:
    name = event_id if isinstance(event_id, UUID) else UUID(int=event_id)
    answer = await api.client.get(f"/api/v2/trace/{name}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert "203.0.113.7" not in answer.text
    assert "visitor" not in answer.text
    return found


async def test_a_stored_event_is_shown_with_its_row(api: ApiService, pipe: Pipe) -> None:
    edge = FakeEdge()
    pipe.put(edge.entry([envelope(title="Hello", age_ms=90_000), envelope()]))
    found = await trace_of(api, receipt.counted(edge.boot, 1, 0))
    assert (found["found"], found["site"]) == ("stored", "example.com")
    assert (found["event"]["title"], found["event"]["commit_in"]) == ("Hello", 1)


async def test_a_stored_event_is_found_after_its_batch_is_folded(
    api: ApiService, pipe: Pipe, database: str
) -> None:
    edge = FakeEdge()
    pipe.put(edge.entry([envelope()]))
    run(database, "delete from batch")
    assert (await trace_of(api, receipt.counted(edge.boot, 1, 0)))["found"] == "stored"


def test_no_event_is_looked_for_by_reading_all_of_them(database: str) -> None:
    # Whole weeks from a Thursday on, as the chunks are: a chunk of few rows is rightly read whole.
    run(
        database,
        "insert into events (site_id, ts, event_id, commit_in, day, hour, received_at, name,"
        " interactive) select 1, t, gen_random_uuid(), 1, t::date, 0, t, 'pageview', true"
        " from generate_series('2026-01-01Z'::timestamptz, '2026-02-04 23:58Z', '2 minutes') t",
    )
    run(database, "analyze events")
    engine = create_engine(sqlalchemy_url(database))
    for event_id in (UUID(int=receipt.counted(7, 1, 0)), client_id(1)):
        statement = standing(event_id).compile(engine, compile_kwargs={"literal_binds": True})
        with engine.connect() as connection:
            plan = [str(line) for (line,) in connection.exec_driver_sql(f"explain {statement}")]
        assert not [line for line in plan if "Seq Scan" in line and "_hyper_" in line], plan
        assert any("events_by_receipt" in line for line in plan), plan
    engine.dispose()


async def test_a_duplicate_names_the_event_that_stands_whatever_came_between(
    api: ApiService, pipe: Pipe
) -> None:
    edge, same = FakeEdge(), client_id(1)
    for age in range(3):
        pipe.put(edge.entry([envelope(id=same, received_at=NOON - age)]))
    stands = str(UUID(int=receipt.counted(edge.boot, 3, 0)))
    for seq in (1, 2):
        found = await trace_of(api, receipt.counted(edge.boot, seq, 0))
        assert (found["found"], found["of"]) == ("duplicate", stands)
    assert (await trace_of(api, UUID(stands)))["found"] == "stored"


async def test_a_dropped_event_tells_the_reason(api: ApiService, pipe: Pipe, database: str) -> None:
    put_site(database, "quiet.example", excluded=["203.0.113.0/24"])
    edge = FakeEdge()
    pipe.put(edge.entry([envelope(site="quiet.example")]))
    found = await trace_of(api, receipt.counted(edge.boot, 1, 0))
    assert (found["found"], found["site"]) == ("dropped", "quiet.example")
    assert found["reason"]


async def test_a_quarantined_event_tells_the_reason(api: ApiService, pipe: Pipe) -> None:
    edge = FakeEdge()
    pipe.put(edge.entry([envelope(), envelope(site="new.example")]))
    found = await trace_of(api, receipt.counted(edge.boot, 1, 1))
    assert (found["found"], found["reason"]) == ("quarantined", "unknown_site")
    assert (await trace_of(api, receipt.counted(edge.boot, 1, 0)))["found"] == "stored"


async def test_an_event_of_an_entry_set_aside_whole_is_found_by_the_number_it_claims(
    api: ApiService, pipe: Pipe
) -> None:
    edge = FakeEdge()
    name, entry_id, fields = edge.entry([envelope()])[:3]
    pipe.put(Entry(name, entry_id, {**fields, b"body": b"damaged"}))
    found = await trace_of(api, receipt.counted(edge.boot, 1, 0))
    assert (found["found"], found["reason"]) == ("quarantined", "unsealable")


async def test_what_is_in_no_ledger_names_the_edge_of_its_boot(
    api: ApiService, pipe: Pipe, database: str
) -> None:
    run(
        database,
        "insert into boot (edge, boot, void, lost) values ('e1', 77, '{[2,3)}', '{[3,4)}')",
    )
    run(database, "update edge set last_heard = '2026-06-10T12:00:00Z'")
    found = await trace_of(api, receipt.counted(77, 1, 0))
    assert (found["found"], found["edge"]) == ("under_way", "e1")
    assert found["last_heard"].startswith("2026-06-10T12:00:00")
    assert (await trace_of(api, receipt.counted(77, 2, 0)))["found"] == "refused"
    assert (await trace_of(api, receipt.counted(77, 3, 0)))["found"] == "lost"


async def test_a_number_that_its_boot_never_gave_out_is_unknown(
    api: ApiService, pipe: Pipe, database: str
) -> None:
    run(
        database,
        "insert into boot (edge, boot, low, last_acked, ended, last_heard) values"
        " ('e1', 77, 9, 8, true, now()), ('e1', 78, 5, 8, false, now()),"
        " ('e1', 79, 5, 8, false, now() - interval '1 day')",
    )

    async def found(boot: int, seq: int) -> str:
        return str((await trace_of(api, receipt.counted(boot, seq, 0)))["found"])

    assert (await found(77, 9), await found(77, 10)) == ("under_way", "unknown")
    assert (await found(78, 5_000), await found(78, 10_000_000)) == ("under_way", "unknown")
    assert (await found(79, 10_000_000), await found(79, 2**39)) == ("under_way", "unknown")


async def test_an_entry_that_was_set_aside_whole_and_discarded_is_of_no_known_site(
    api: ApiService, pipe: Pipe, database: str
) -> None:
    edge = FakeEdge()
    name, entry_id, fields = edge.entry([envelope()])[:3]
    pipe.put(Entry(name, entry_id, {**fields, b"body": b"damaged"}))
    with psycopg.connect(database, autocommit=True) as connection:
        assert discard(connection, find_held(connection, None)) == 1
    found = await trace_of(api, receipt.counted(edge.boot, 1, 0))
    assert (found["found"], found["reason"], "site" in found) == ("dropped", "unsealable", False)


async def test_what_is_not_ours_is_unknown(api: ApiService, pipe: Pipe) -> None:
    edge = FakeEdge()
    pipe.put(edge.entry([envelope()]))
    for strange in (
        client_id(5).int,
        receipt.counted(123, 1, 0),
        receipt.derived("example.com", client_id(1)),
        receipt.counted(edge.boot, 1, 1),
    ):
        assert (await trace_of(api, strange))["found"] == "unknown"


async def test_who_may_trace(api: ApiService, pipe: Pipe, database: str) -> None:
    put_site(database, "other.example")
    edge = FakeEdge()
    pipe.put(edge.entry([envelope()]))
    path = f"/api/v2/trace/{UUID(int=receipt.counted(edge.boot, 1, 0))}"
    bound = await api.key("query", site="other.example")
    assert (await api.client.get(path, headers=bound)).json()["found"] == "unknown"
    ingest = await api.key("ingest")
    assert error(await api.client.get(path, headers=ingest)) == (403, "forbidden", None)
    assert error(await api.client.get("/api/v2/trace/nonsense")) == (400, "bad_value", "receipt")
    del api.client.headers["authorization"]
    assert error(await api.client.get(path))[0] == 401


def test_the_command_says_the_same(
    database: str, pipe: Pipe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MILLRACE_STATE", str(tmp_path))
    monkeypatch.setenv("MILLRACE_POSTGRES_URL", database)
    edge = FakeEdge()
    pipe.put(edge.entry([envelope(title="[red]\x1b[2J")]))
    name = str(UUID(int=receipt.counted(edge.boot, 1, 0)))
    result = CliRunner().invoke(cli, ["trace", name])
    assert result.exit_code == 0, result.output
    assert result.output.startswith("stored: ")
    assert r"[red]\x1b[2J" in result.output
    assert '"found": "stored"' in CliRunner().invoke(cli, ["trace", name, "--json"]).output
    assert CliRunner().invoke(cli, ["trace", "x"]).output == "Error: a receipt is a UUID\n"


def run(database: str, statement: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(statement.encode())
