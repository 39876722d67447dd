"""The generator sends as the tracker does, and knows afterwards what became of each event."""

import asyncio
from collections.abc import Iterator
from itertools import islice
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest

from infrastructure.traffic import tracker_client
from infrastructure.traffic.generator import send_on_time
from infrastructure.traffic.schedule import planned_events
from infrastructure.traffic.send_log import SendLog, Sent
from infrastructure.traffic.tracker_client import TrackerClient
from infrastructure.traffic.visit import Planned


def planned(count: int) -> Iterator[Planned]:
    due_at_once = planned_events(1, "demo.example", 10.0)
    return (each._replace(at_s=0.0) for each in islice(due_at_once, count))


def taken() -> httpx.Response:
    return httpx.Response(202, json={"accepted": 1, "dropped": 0, "receipts": [str(uuid4())]})


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracker_client, "_FIRST_PAUSE_S", 0.001)


def tracker(*answers: httpx.Response | Exception) -> tuple[TrackerClient, list[httpx.Request]]:
    """A client of an edge that gives these answers first, then takes everything."""
    requests: list[httpx.Request] = []
    pending = iter(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        given = next(pending, None) or taken()
        if isinstance(given, Exception):
            raise given
        return given

    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return TrackerClient(client, "http://edge/track"), requests


@pytest.mark.anyio
async def test_each_request_looks_like_a_visitors_browser_behind_a_proxy() -> None:
    client, requests = tracker()
    first = next(planned(1))
    await client.send(first)
    headers = requests[0].headers
    assert headers["content-type"].startswith("text/plain")
    assert headers["user-agent"] == first.visitor.user_agent
    assert headers["x-forwarded-for"] == first.visitor.address
    assert headers["origin"] == "https://demo.example"


@pytest.mark.anyio
@pytest.mark.usefixtures("no_pause")
async def test_what_is_not_taken_is_sent_again_with_the_same_id_and_a_greater_age() -> None:
    client, requests = tracker(
        httpx.Response(503, headers={"retry-after": "0"}),
        httpx.ReadError("gone"),
        httpx.Response(429, headers={"retry-after": "0"}),
    )
    await client.send(next(planned(1)))
    bodies = [msgspec.json.decode(request.content) for request in requests]
    assert len(bodies) == 4
    assert len({body["id"] for body in bodies}) == 1
    assert bodies[-1]["age_ms"] > bodies[0]["age_ms"]
    assert (client.log.begun, client.log.accepted, client.log.repeats) == (1, 1, 3)


@pytest.mark.anyio
async def test_what_is_refused_for_good_is_not_sent_again() -> None:
    error = {"error": {"code": "unknown_site", "message": "no such site"}}
    client, requests = tracker(httpx.Response(400, json=error))
    await client.send(next(planned(1)))
    assert len(requests) == 1
    assert client.log.ends == {"no such site": 1}


@pytest.mark.anyio
async def test_every_event_begun_is_accounted_for_when_the_traffic_is_stopped() -> None:
    answered, never = 5, asyncio.Event()
    requests = 0

    async def answer(request: httpx.Request) -> httpx.Response:
        nonlocal requests
        requests += 1
        if requests > answered:
            stop.set()
            await never.wait()
        return taken()

    stop = asyncio.Event()
    client = TrackerClient(
        httpx.AsyncClient(transport=httpx.MockTransport(answer)), "http://edge/track"
    )
    await send_on_time(planned(50), client, stop, settle_s=0.05)
    log = client.log
    assert log.accepted == answered
    assert log.begun == len(list(log)) == log.accepted + log.ends.total()
    assert log.ends["no answer"] > 0


def test_the_log_gives_back_ids_and_receipts_in_order() -> None:
    log = SendLog()
    one, two, receipt = UUID(int=1), UUID(int=2), UUID(int=3)
    log.record(one, receipt)
    log.record(two, None, "no answer")
    assert list(log) == [Sent(one, receipt), Sent(two, None)]
