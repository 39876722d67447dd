"""A site with events put straight into the database, and questions about it over HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select, update

from api.sites import put_site
from tests.integration.api_service import ApiService, api_service
from writer.tables import commits, events, exclusion, goal, segment

NOON = datetime(2024, 5, 14, 12, tzinfo=UTC)
SITE = "example.com"


class Asker:
    """A site with events, and questions about it."""

    def __init__(self, api: ApiService, site_id: int, headers: dict[str, str]) -> None:
        self.api = api
        self.site_id = site_id
        self.headers = headers
        self._count = 0

    async def put(self, *rows: dict[str, Any]) -> int:
        """Rows in one commit; returns its number. ``at`` is minutes after noon."""
        async with self.api.transaction() as db:
            commit = int(await db.scalar(select(func.open_commit())) or 0)
            this = commits.c.commit_no == commit
            await db.execute(update(commits).where(this).values(events=len(rows)))
            for row in rows:
                await db.execute(insert(events).values(self._row(row, commit)))
        return commit

    async def save_goal(self, name: str, *filters: list[Any]) -> None:
        await self._save(goal, name, filters)

    async def save_segment(self, name: str, *filters: list[Any]) -> int:
        return await self._save(segment, name, filters)

    async def save_exclusion(self, name: str, *filters: list[Any]) -> None:
        await self._save(exclusion, name, filters)

    async def _save(self, table: Any, name: str, filters: tuple[list[Any], ...]) -> int:
        row = {"site_id": self.site_id, "name": name, "filters": list(filters)}
        number = table.primary_key.columns.values()[0]
        async with self.api.transaction() as db:
            return int(await db.scalar(insert(table).values(row).returning(number)) or 0)

    def _row(self, given: dict[str, Any], commit: int) -> dict[str, Any]:
        self._count += 1
        plain = dict(given)
        ts = NOON + timedelta(minutes=plain.pop("at", 0))
        defaults = {
            "site_id": self.site_id,
            "ts": ts,
            "event_id": UUID(int=self._count),
            "commit_in": commit,
            "commit_out": None,
            "day": ts.date(),
            "hour": ts.hour,
            "received_at": ts,
            "visitor": 1,
            "name": "pageview",
            "interactive": plain.get("name") not in ("engagement", "scroll"),
            "bot": None,
            "page": "/",
            "source": "",
            "country": "",
        }
        return {**defaults, **plain}

    async def ask(self, metrics: list[str], **more: Any) -> list[list[Any]]:
        """``[*dimensions, *metrics]`` of each row."""
        answer = await self.post({"metrics": metrics, **more})
        return [[*row["dimensions"], *row["metrics"]] for row in answer["results"]]

    async def post(self, question: dict[str, Any]) -> dict[str, Any]:
        answer = await self.answer(question)
        assert answer.status_code == 200, answer.text
        given: dict[str, Any] = answer.json()
        return given

    async def answer(self, question: dict[str, Any]) -> Any:
        whole = {"site_id": SITE, "date_range": ["2024-05-14", "2024-05-14"], **question}
        return await self.send("/api/v2/query", whole)

    async def send(self, path: str, body: dict[str, Any]) -> Any:
        return await self.api.client.post(path, json=body, headers=self.headers)


@asynccontextmanager
async def asker(database: str, zone: str = "UTC", **changes: Any) -> AsyncIterator[Asker]:
    async with api_service(database, **changes) as api:
        async with api.transaction() as db:
            found = await put_site(db, SITE, {"time_zone": zone}, api.parts.now())
        yield Asker(api, found.site_id, await api.key("query"))
