"""Whoever says no, is refused or is a robot is in no number, and how many they were is told."""

import json
from typing import Any

import pytest

from infrastructure.demo.household import SITE
from infrastructure.local.product import Product
from tests.journeys.visit_world import BROWSER, VisitWorld, until

pytestmark = pytest.mark.anyio
EXCLUDED = "198.51.100.7"
ROBOT = f"{BROWSER} uptime-checker/7"


async def send(world: VisitWorld, times: int = 1, **headers: str) -> None:
    """A page view with other headers than a visitor's."""
    usual = {
        "content-type": "text/plain",
        "user-agent": BROWSER,
        "origin": f"https://{SITE}",
        "x-forwarded-for": "84.128.1.2",
    }
    changed = {name.replace("_", "-"): value for name, value in headers.items()}
    for _ in range(times):
        await world.client.post(
            f"{world.product.edge_url}/track",
            content=json.dumps({"site": SITE, "url": f"https://{SITE}/"}),
            headers={**usual, **changed},
        )


async def call(world: VisitWorld, method: str, path: str, body: dict[str, Any]) -> Any:
    answer = await world.client.request(
        method,
        f"{world.product.api_url}{path}",
        json=body,
        headers={"authorization": f"Bearer {world.key}"},
    )
    assert answer.is_success, answer.text
    return answer.json()


async def not_counted(world: VisitWorld) -> dict[tuple[str, ...], int]:
    body = {"site_id": SITE, "date_range": "all"}
    answer = await call(world, "POST", "/api/v2/query/not-counted", body)
    return {tuple(row["dimensions"]): row["metrics"][0] for row in answer["results"]}


async def test_what_never_became_a_number_is_told_by_reason(millrace: Product) -> None:
    async with VisitWorld.open(millrace) as world:
        await call(world, "PATCH", f"/api/sites/{SITE}", {"excluded": [f"{EXCLUDED}/32"]})
        pattern = {"name": "our monitor", "pattern": "uptime-checker"}
        await call(world, "POST", f"/api/sites/{SITE}/bots", pattern)
        await send(world, 2, dnt="1")
        await send(world, 3, sec_gpc="1")
        await send(world, 1, sec_purpose="prefetch")
        await send(world, 4, origin="https://elsewhere.example")
        await send(world, 5, user_agent="curl/8.5.0")
        await send(world, 6, user_agent=ROBOT)
        # Before the edge has heard of it, the writer drops what is excluded: for the same reason.
        await send(world, 2, x_forwarded_for=EXCLUDED)
        stands = await world.visit("/")
        await world.until_stored([stands])
        expected = {
            ("dropped", "dnt"): 2,
            ("dropped", "gpc"): 3,
            ("dropped", "prefetch"): 1,
            ("dropped", "excluded"): 2,
            # One of them is how the world looked whether the edge knows the site.
            ("refused", "forbidden_origin"): 5,
            ("bot", "^curl"): 5,
            ("bot", "our monitor"): 6,
        }

        async def all_told() -> bool:
            return await not_counted(world) == expected

        await until(all_told, f"{expected} is told")
        assert await world.query(["pageviews"], []) == {(): [1]}
        staff = {"name": "all", "filters": [["is", "event:page", ["/"]]]}
        await call(world, "POST", f"/api/sites/{SITE}/exclusions", staff)
        assert await world.query(["pageviews"], []) == {(): [0]}
        assert (await not_counted(world))["exclusion", "all"] == 1
