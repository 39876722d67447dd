"""The account of a demo finds what is lost and what is there twice, by event id."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from infrastructure.demo.account import Account, draw_up
from infrastructure.demo.household import OWNER, SITE, settle_in
from infrastructure.traffic.send_log import SendLog

SINCE = datetime(2026, 11, 22, 16, 0, tzinfo=UTC)
SITE_ID = 1


class Rows:
    """Puts events straight into the database."""

    def __init__(self, database: str) -> None:
        self._database = database

    def put(
        self,
        event_id: UUID,
        *,
        at: datetime = SINCE + timedelta(seconds=5),
        gone_with: int | None = None,
        title: str = "Shop",
    ) -> None:
        self._run(
            "insert into events (site_id, ts, event_id, commit_in, commit_out, day, hour,"
            " received_at, name, interactive, title)"
            " values (%s, %s, %s, 1, %s, %s, 0, %s, 'pageview', true, %s)",
            [SITE_ID, at, event_id, gone_with, at.date(), at, title],
        )

    def remember(self, client_id: UUID, event_id: UUID) -> None:
        self._run(
            "insert into client_id values (%s, %s, %s, %s, %s)",
            [SITE_ID, client_id, SINCE, event_id, SINCE],
        )

    def _run(self, statement: str, values: list[object]) -> None:
        with psycopg.connect(self._database) as db:
            db.execute(statement, values)


@pytest.fixture
def rows(database: str) -> Rows:
    return Rows(database)


def accepted(log: SendLog) -> tuple[UUID, UUID]:
    client_id, receipt = uuid4(), uuid4()
    log.record(client_id, receipt)
    return client_id, receipt


@pytest.mark.anyio
async def test_what_was_accepted_and_stored_once_makes_a_clean_account(
    database: str, rows: Rows
) -> None:
    log = SendLog()
    for _ in range(3):
        client_id, receipt = accepted(log)
        rows.put(receipt)
        rows.remember(client_id, receipt)
    account = await draw_up(database, SITE_ID, log, SINCE)
    assert account == Account(sent=3, accepted=3, stored=3, duplicated=0)
    assert account.is_clean


@pytest.mark.anyio
async def test_a_receipt_without_a_row_is_lost(database: str, rows: Rows) -> None:
    log = SendLog()
    _, receipt = accepted(log)
    accepted(log)
    rows.put(receipt)
    account = await draw_up(database, SITE_ID, log, SINCE)
    assert (account.lost, account.is_clean) == (1, False)


@pytest.mark.anyio
async def test_a_row_that_went_is_lost_unless_an_earlier_try_took_its_place(
    database: str, rows: Rows
) -> None:
    log, earlier = SendLog(), uuid4()
    client_id, receipt = accepted(log)
    rows.put(receipt, gone_with=2)
    assert (await draw_up(database, SITE_ID, log, SINCE)).lost == 1
    rows.put(earlier)
    rows.remember(client_id, earlier)
    assert await draw_up(database, SITE_ID, log, SINCE) == Account(1, 1, 1, 0)


@pytest.mark.anyio
async def test_two_rows_of_one_client_id_are_a_duplicate(database: str, rows: Rows) -> None:
    log, earlier = SendLog(), uuid4()
    client_id, receipt = accepted(log)
    rows.put(receipt)
    rows.put(earlier)
    rows.remember(client_id, earlier)
    account = await draw_up(database, SITE_ID, log, SINCE)
    assert (account.stored, account.duplicated, account.is_clean) == (1, 1, False)


@pytest.mark.anyio
async def test_a_row_that_nobody_knows_of_is_a_duplicate(database: str, rows: Rows) -> None:
    log = SendLog()
    _, receipt = accepted(log)
    rows.put(receipt)
    rows.put(receipt, at=SINCE + timedelta(seconds=6))
    rows.put(uuid4())
    assert (await draw_up(database, SITE_ID, log, SINCE)).duplicated == 2


@pytest.mark.anyio
async def test_an_unanswered_event_that_was_stored_is_neither_lost_nor_a_duplicate(
    database: str, rows: Rows
) -> None:
    log, client_id, event_id = SendLog(), uuid4(), uuid4()
    log.record(client_id, None, "no answer")
    rows.put(event_id)
    rows.remember(client_id, event_id)
    account = await draw_up(database, SITE_ID, log, SINCE)
    assert account == Account(1, 0, 0, 0, kept_all_the_same=1)
    assert not account.is_clean  # nothing was accepted


@pytest.mark.anyio
async def test_rows_of_earlier_runs_and_of_other_people_do_not_count(
    database: str, rows: Rows
) -> None:
    rows.put(uuid4(), at=SINCE - timedelta(minutes=1))
    rows.put(uuid4(), title="Somebody's first curl")
    assert await draw_up(database, SITE_ID, SendLog(), SINCE) == Account(0, 0, 0, 0)


@pytest.mark.anyio
async def test_the_second_demo_finds_the_owner_and_the_site_of_the_first(database: str) -> None:
    first = await settle_in(database, "a password of the first run")
    assert await settle_in(database, "a password of the second") == first
    with psycopg.connect(database) as db:
        assert db.execute("select email from owner").fetchall() == [(OWNER,)]
        assert db.execute("select key from site").fetchall() == [(SITE,)]
