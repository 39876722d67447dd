"""Patterns of robots over HTTP, and what the writer makes of them."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from api.bot_patterns import MAX_PATTERNS
from tests.integration.api_service import NOW, ApiService, api_service, error
from tests.writer_world import FakeEdge, Pipe, envelope, put_edge, rows, standing
from writer.known.zones import us

pytestmark = pytest.mark.anyio
SITE, OTHER = "example.com", "other.example"
OURS = {"name": "our monitor", "pattern": "linux"}


@pytest.fixture
def pipe(database: str) -> Iterator[Pipe]:
    put_edge(database)
    made = Pipe(database, now=us(NOW))
    yield made
    made.close()


async def ready(api: ApiService) -> None:
    await api.sign_in()
    for site in (SITE, OTHER):
        assert (await api.client.post("/api/sites", json={"key": site})).status_code == 201


async def add(api: ApiService, path: str = f"/api/sites/{SITE}/bots", **more: Any) -> int:
    answer = await api.client.post(path, json={**OURS, **more})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


async def test_a_pattern_is_added_tried_and_ended_and_stays_in_the_list(database: str) -> None:
    async with api_service(database) as api:
        await ready(api)
        path = f"/api/sites/{SITE}/bots"
        number = await add(api)
        tried = await api.client.post(f"{path}/try", json={"user_agent": "X Linux"})
        assert tried.json()["rule"] == "our monitor"
        assert tried.json()["by"]["id"] == number
        tried = await api.client.post(
            f"/api/sites/{OTHER}/bots/try", json={"user_agent": "X Linux"}
        )
        assert tried.json() == {"rule": None, "by": None}
        assert (await api.client.delete(f"{path}/{number}")).status_code == 204
        assert error(await api.client.delete(f"{path}/{number}")) == (404, "not_found", None)
        [listed] = (await api.client.get(path)).json()["patterns"]
        assert listed["valid_until"] is not None
        tried = await api.client.post(f"{path}/try", json={"user_agent": "curl/8"})
        assert tried.json() == {"rule": "^curl", "by": "packaged"}


async def test_a_bad_pattern_is_refused_with_the_reason(database: str) -> None:
    async with api_service(database) as api:
        await ready(api)
        for changes, code, field, words in (
            ({"pattern": "("}, "bad_value", "pattern", "missing )"),
            ({"pattern": "Mozilla"}, "bad_value", "pattern", "every usual browser"),
            ({"pattern": "a/8", "kind": "network"}, "bad_value", "pattern", "192.0.2.0/24"),
            ({"kind": "asn"}, "bad_value", "kind", "user_agent, network"),
            ({"name": " "}, "bad_value", "name", "prints"),
        ):
            answer = await api.client.post("/api/bots", json={**OURS, **changes})
            assert error(answer) == (400, code, field)
            assert words in answer.json()["error"]["message"]
        await add(api, "/api/bots")
        assert error(await api.client.post("/api/bots", json=OURS))[:2] == (409, "conflict")
        bad = {"user_agent": "x" * 1_025}
        refused = await api.client.post("/api/bots/try", json=bad)
        assert error(refused) == (400, "too_long", "user_agent")
        bad = {"user_agent": "x", "ip": "nowhere"}
        assert error(await api.client.post("/api/bots/try", json=bad)) == (400, "bad_value", "ip")


async def test_there_are_no_more_than_a_hundred_in_force(database: str) -> None:
    async with api_service(database) as api:
        await ready(api)
        last = 0
        for number in range(MAX_PATTERNS):
            last = await add(api, "/api/bots", pattern=f"robot{number}$")
        assert error(await api.client.post("/api/bots", json=OURS))[:2] == (400, "too_many")
        await api.client.delete(f"/api/bots/{last}")
        await add(api, "/api/bots")


async def test_the_patterns_of_one_site_do_not_take_long_together(database: str) -> None:
    async with api_service(database) as api:
        await ready(api)
        path = f"/api/sites/{SITE}/bots"
        for number in range(5):
            await add(api, pattern=f"((a|.){{1,28}}b){{3}}{number}")
        more = await api.client.post(path, json={**OURS, "pattern": "((a|.){1,28}b){3}y"})
        assert error(more) == (400, "too_many", "pattern")
        await add(api, kind="network", pattern="198.51.100.0/24")
        await add(api, "/api/bots", pattern="((a|.){1,28}b){3}y")


async def test_a_key_of_one_site_sees_and_changes_that_sites_patterns_alone(database: str) -> None:
    async with api_service(database) as api:
        await ready(api)
        everywhere = await add(api, "/api/bots")
        api.client.headers.clear()
        api.client.cookies.clear()
        api.client.headers.update(await api.key("admin", site=SITE))
        await add(api)
        own = await api.client.delete(f"/api/sites/{SITE}/bots/{everywhere}")
        assert error(own)[0] == 404
        for answer in (
            await api.client.get("/api/bots"),
            await api.client.post("/api/bots", json=OURS),
            await api.client.delete(f"/api/bots/{everywhere}"),
            await api.client.post(f"/api/sites/{OTHER}/bots", json=OURS),
        ):
            assert error(answer)[:2] == (403, "forbidden")


async def test_the_writer_marks_by_them_as_of_when_an_event_was_received(
    database: str, pipe: Pipe
) -> None:
    edge = FakeEdge()

    def put(site: str, minutes: int, **more: Any) -> None:
        received_at = us(NOW + timedelta(minutes=minutes))
        pipe.put(edge.entry([envelope(site=site, received_at=received_at, **more)]))

    async with api_service(database) as api:
        await ready(api)
        put(SITE, 1)
        number = await add(api)
        await add(api, "/api/bots", name="office", kind="network", pattern="198.51.100.0/24")
        api.time.now = NOW + timedelta(minutes=10)
        await api.client.delete(f"/api/sites/{SITE}/bots/{number}")
        put(SITE, -1)
        put(SITE, 2)
        put(OTHER, 2)
        put(OTHER, 3, ip="198.51.100.9")
        put(SITE, 11)
    marks = "round(extract(epoch from received_at - '2024-05-15 12:00Z') / 60)::int, bot"
    assert sorted(standing(database, f"{marks}, site_id"), key=str) == [
        (-1, None, 1),
        (1, None, 1),
        (11, None, 1),
        (2, "our monitor", 1),
        (2, None, 2),
        (3, "office", 2),
    ]
    assert rows(database, "select count(*) from bot_pattern") == [(2,)]
