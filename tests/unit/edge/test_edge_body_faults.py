"""What is wrong with a request as a whole: status and code of every fault, with CORS on each."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.edge_under_test import (
    BEACON,
    SITE,
    EdgeUnderTest,
    edge_settings,
    running_edge,
    stored_envelopes,
)

pytestmark = pytest.mark.anyio

DEEP = b'{"site":"shop.example","url":"https://shop.example/","x":' + b"[" * 40 + b"]" * 40 + b"}"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "bad_json"),
        (b"{", "bad_json"),
        (b"not json", "bad_json"),
        (b'{"site":"shop.example","width":NaN}', "bad_json"),
        (b'{"site":"shop.example","vitals":{"lcp":Infinity}}', "bad_json"),
        (b'{"site":"shop.example","title":"\xff"}', "bad_encoding"),
        (DEEP, "too_deep"),
        (b"[" * 100_000, "too_deep"),
        (b"[]", "bad_value"),
        (json.dumps([BEACON] * 101).encode(), "too_many_events"),
        (b"3", "wrong_type"),
        (b'"text"', "wrong_type"),
        (b"null", "wrong_type"),
    ],
)
async def test_a_body_that_cannot_be_read_is_a_400_with_its_code(
    edge: EdgeUnderTest, body: bytes, code: str
) -> None:
    answer = await edge.post(body, origin="https://shop.example")
    assert (answer.status, answer.code) == (400, code)
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    assert "access-control-allow-credentials" not in answer.headers


async def test_an_event_over_64_kib_is_refused_and_one_of_64_kib_is_not(
    edge: EdgeUnderTest,
) -> None:
    body = json.dumps(BEACON).encode()
    fits = await edge.post(body + b" " * (64 * 1024 - len(body)))
    over = await edge.post(body + b" " * (64 * 1024 - len(body) + 1))
    assert fits.status == 202
    assert (over.status, over.code) == (413, "too_large")


async def test_an_array_over_1_mib_is_refused_and_one_of_1_mib_is_not(edge: EdgeUnderTest) -> None:
    body = json.dumps([BEACON]).encode()
    fits = await edge.post(body + b" " * (1024 * 1024 - len(body)))
    over = await edge.post(body + b" " * (1024 * 1024 - len(body) + 1))
    assert fits.status == 202
    assert (over.status, over.code) == (413, "too_large")


async def test_streamed_bytes_count_and_not_the_content_length(edge: EdgeUnderTest) -> None:
    parts = [b'{"site":"' + b"a" * 30_000] * 4
    headers = {"content-type": "text/plain", "content-length": "10"}
    answer = await edge.send("POST", "/track", parts, headers)
    assert (answer.status, answer.code) == (413, "too_large")
    assert edge.worker.memory.held == 0


async def test_a_body_that_never_stops_is_cut_off(edge: EdgeUnderTest) -> None:
    parts = [b"x" * 65_536] * 200
    answer = await edge.send("POST", "/track", parts, {"content-type": "text/plain"})
    assert answer.status == 413
    assert answer.headers["connection"] == "close"


async def test_a_body_that_does_not_come_is_a_408(primary: str, spool: str, tmp_path: Path) -> None:
    settings = edge_settings(primary, spool, tmp_path, edge_body_timeout_s=0.05)
    async with running_edge(settings) as edge:
        answer = await edge.send(
            "POST", "/track", [b'{"site":'], {"content-type": "text/plain"}, never_ends=True
        )
        assert (answer.status, answer.code) == (408, "body_timeout")
        assert answer.headers["connection"] == "close"
        assert answer.headers["access-control-allow-origin"] == "*"
        assert edge.worker.memory.held == 0


async def test_a_body_too_large_and_then_silent_is_a_413(
    primary: str, spool: str, tmp_path: Path
) -> None:
    settings = edge_settings(primary, spool, tmp_path, edge_body_timeout_s=0.05)
    async with running_edge(settings) as edge:
        answer = await edge.send(
            "POST", "/track", [b"x" * 70_000], {"content-type": "text/plain"}, never_ends=True
        )
        assert (answer.status, answer.code) == (413, "too_large")


async def test_a_length_that_is_declared_too_large_is_refused_unread(edge: EdgeUnderTest) -> None:
    headers = {"content-type": "text/plain", "content-length": str(1024 * 1024 + 1)}
    answer = await edge.send("POST", "/track", [b"[", b"]"], headers)
    assert (answer.status, answer.code) == (413, "too_large")
    assert answer.headers["connection"] == "close"


async def test_a_worker_holds_only_so_many_request_bytes(
    primary: str, spool: str, tmp_path: Path
) -> None:
    settings = edge_settings(primary, spool, tmp_path, edge_body_memory_bytes=100)
    async with running_edge(settings) as edge:
        answer = await edge.post({**BEACON, "title": "t" * 100})
        assert (answer.status, answer.code) == (503, "unavailable")
        assert int(answer.headers["retry-after"]) >= 1
        assert (await edge.post()).status == 202


@pytest.mark.parametrize("media_type", ["text/html", "", "application/x-www-form-urlencoded"])
async def test_another_media_type_is_a_415(edge: EdgeUnderTest, media_type: str) -> None:
    answer = await edge.post(content_type=media_type)
    assert (answer.status, answer.code) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "media_type",
    ["application/json", "Application/JSON; charset=utf-8", "text/plain;charset=UTF-8"],
)
async def test_json_and_plain_text_are_taken_with_parameters(
    edge: EdgeUnderTest, media_type: str
) -> None:
    assert (await edge.post(content_type=media_type)).status == 202


async def test_a_compressed_body_is_a_415(edge: EdgeUnderTest) -> None:
    bomb = gzip.compress(b" " * 10_000_000)
    answer = await edge.post(bomb, content_encoding="gzip")
    assert (answer.status, answer.code) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("method", "target", "status", "code"),
    [
        ("GET", "/track", 405, "method_not_allowed"),
        ("DELETE", "/track", 405, "method_not_allowed"),
        ("POST", "/pixel.gif", 405, "method_not_allowed"),
        ("GET", "/", 404, "not_found"),
        ("GET", "/t.js/", 404, "not_found"),
        ("POST", "/%00", 404, "not_found"),
    ],
)
async def test_other_methods_and_paths_have_the_same_shape_of_error(
    edge: EdgeUnderTest, method: str, target: str, status: int, code: str
) -> None:
    answer = await edge.send(method, target, headers={"origin": "https://any.example"})
    assert (answer.status, answer.code) == (status, code)
    assert answer.headers["access-control-allow-origin"] == "https://any.example"


async def test_a_preflight_allows_what_a_page_may_send(edge: EdgeUnderTest) -> None:
    answer = await edge.send("OPTIONS", "/track", headers={"origin": "https://shop.example"})
    assert answer.status == 204
    assert "content-type" not in answer.headers
    assert answer.headers["access-control-allow-methods"] == "POST"
    assert answer.headers["access-control-allow-headers"] == "content-type"
    assert "x-millrace-dropped" in answer.headers["access-control-expose-headers"]


async def test_strangers_make_no_500_and_leave_nothing_in_the_log(
    edge: EdgeUnderTest, primary: str, caplog: pytest.LogCaptureFixture
) -> None:
    hostile: list[Any] = [
        b"\x00" * 100,
        b"\xff\xfe{}",
        b'{"site":"\\ud800"}',
        b'{"\\u0000":1}',
        b'{"site":{"a":1}}',
        b'[{"site":"shop.example"},null,[],"\\udfff"]',
        b"9" * 60_000,
        b'{"site":"shop.example","revenue":{"amount":' + b"9" * 50_000 + b',"currency":"EUR"}}',
        b'{"site":"shop.example","url":"http://[::1","id":"\n\nnot a uuid"}',
    ]
    for body in hostile:
        answer = await edge.post(body, user_agent="\xff\xfe\n-evil")
        assert 400 <= answer.status < 500, body
    assert caplog.records == []
    assert stored_envelopes(primary) == []
    assert (await edge.post({"site": SITE, "url": "https://shop.example/"})).status == 202
