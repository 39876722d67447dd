"""The account that closes a demo: each event that was sent, looked for in the database by id."""

from datetime import datetime
from typing import NamedTuple

import psycopg

from infrastructure.traffic.send_log import SendLog
from infrastructure.traffic.site_map import PAGES


class Account(NamedTuple):
    """Events by what became of them.

    ``accepted``: a receipt was given. ``stored``: of these, one row is there, under the receipt or
    under the id of the earlier try that took its place. ``unanswered``: no receipt was given, and
    ``kept_all_the_same`` of them were stored. ``duplicated``: rows beyond the one of each event.
    """

    sent: int
    accepted: int
    stored: int
    duplicated: int
    kept_all_the_same: int = 0

    @property
    def lost(self) -> int:
        return self.accepted - self.stored

    @property
    def unanswered(self) -> int:
        return self.sent - self.accepted

    @property
    def is_clean(self) -> bool:
        """Something was accepted, and of that nothing lost and nothing there twice."""
        return self.accepted > 0 and self.lost == 0 and self.duplicated == 0


async def draw_up(postgres_url: str, site_id: int, log: SendLog, since: datetime) -> Account:
    """Compare the log with the rows of the site that were received `since` then.

    Rows of pages that are not the made-up site's are somebody else's, who tries things out, and
    what happened long before is the site's history.
    """
    async with await psycopg.AsyncConnection.connect(postgres_url) as db:
        await _copy_log(db, log)
        titles = [page.title for page in PAGES.values()]
        found = await db.execute(_COMPARE, {"site_id": site_id, "since": since, "titles": titles})
        row = await found.fetchone()
        assert row is not None
        return Account(*row)


async def _copy_log(db: psycopg.AsyncConnection, log: SendLog) -> None:
    await db.execute(
        "create temporary table sent (client_id uuid not null, receipt uuid) on commit drop"
    )
    async with db.cursor() as cursor, cursor.copy("copy sent from stdin (format binary)") as copy:
        copy.set_types(["uuid", "uuid"])
        for each in log:
            await copy.write_row(each)
    await db.execute("analyze sent")


_COMPARE = """
with visible as (
    select event_id from events
    where site_id = %(site_id)s and commit_out is null
      and ts >= %(since)s::timestamptz - interval '1 minute' and received_at >= %(since)s
      and title = any(%(titles)s)
), found as (
    select sent.client_id, sent.receipt, count(visible.event_id) > 0 as there
    from sent
    left join client_id c on c.site_id = %(site_id)s and c.client_id = sent.client_id
    left join visible on visible.event_id in (sent.receipt, c.event_id)
    group by sent.client_id, sent.receipt
)
select count(*),
       count(receipt),
       count(*) filter (where there and receipt is not null),
       (select count(*) from visible) - count(*) filter (where there),
       count(*) filter (where there and receipt is null)
from found
"""
