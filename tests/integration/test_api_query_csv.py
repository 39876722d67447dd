"""An answer of the query endpoint as a table."""

from typing import Any

import pytest
from sqlalchemy import text

from tests.integration.asker import SITE, asker

pytestmark = pytest.mark.anyio

QUESTION: dict[str, Any] = {
    "site_id": SITE,
    "metrics": ["visitors", "views_per_visit"],
    "date_range": ["2024-05-14", "2024-05-14"],
    "dimensions": ["visit:source"],
}


async def test_it_is_a_table_with_a_column_a_dimension_and_a_metric(database: str) -> None:
    async with asker(database) as site:
        await site.put({"source": "=1+1"}, {"source": "=1+1", "at": 1}, {"visitor": 2})
        headers = {**site.headers, "accept": "text/csv"}
        answer = await site.api.client.post("/api/v2/query", json=QUESTION, headers=headers)
        refused = await site.api.client.post(
            "/api/v2/query", json={**QUESTION, "metrics": ["magic"]}, headers=headers
        )
    lines = answer.text.split("\r\n")
    assert lines[0] == "visit:source,visitors,views_per_visit"
    assert "'=1+1,1,2.0" in lines
    assert answer.headers["x-millrace-as-of"] == "1"
    assert answer.headers["content-type"].startswith("text/csv; charset=utf-8")
    assert refused.headers["content-type"] == "application/json"


async def test_days_of_which_nothing_is_left_are_named_in_a_header(database: str) -> None:
    async with asker(database) as site:
        await site.put({})
        async with site.api.transaction() as db:
            await db.execute(
                text(
                    "insert into site_day (site_id, day, starts_at, ends_at, state)"
                    " select site_id, '2024-05-13', '2024-05-13Z', '2024-05-14Z', 'forgotten'"
                    " from site"
                )
            )
        question = {**QUESTION, "date_range": ["2024-05-13", "2024-05-14"]}
        headers = {**site.headers, "accept": "text/csv"}
        answer = await site.api.client.post("/api/v2/query", json=question, headers=headers)
    assert answer.headers["x-millrace-missing-days"] == "2024-05-13"
