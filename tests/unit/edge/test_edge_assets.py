"""The tracker script and the pixel."""

from pathlib import Path

import pytest
from starlette.requests import Request

from edge.http.pixel import GIF
from edge.http.script import Script, core_path
from shared.errors import Code, Refusal
from tests.edge_under_test import BROWSER, SITE, EdgeUnderTest, stored_envelopes

pytestmark = pytest.mark.anyio


def _request(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "GET", "path": "/t.js", "headers": raw})


@pytest.fixture
def script(tmp_path: Path) -> Script:
    path = tmp_path / "t.js"
    path.write_text("millrace=1")
    return Script(max_age_s=600, path=path)


async def test_the_script_comes_with_a_validator_and_a_max_age(script: Script) -> None:
    answer = await script.serve(_request())
    assert (answer.status_code, answer.body) == (200, b"millrace=1")
    assert answer.headers["cache-control"] == "public, max-age=600"
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"


async def test_a_browser_that_has_the_current_script_gets_a_304(script: Script) -> None:
    etag = (await script.serve(_request())).headers["etag"]
    again = await script.serve(_request(if_none_match=f'"other", W/{etag}'))
    assert (again.status_code, again.body, again.headers["etag"]) == (304, b"", etag)
    assert (await script.serve(_request(if_none_match='"other"'))).status_code == 200


def test_the_core_stands_beside_the_tracker_under_whatever_name_that_has() -> None:
    assert core_path("/t.js") == "/t.core.js"
    assert core_path("/assets/app.min.js") == "/assets/app.min.core.js"


async def test_an_edge_without_a_built_script_says_so(tmp_path: Path) -> None:
    with pytest.raises(Refusal) as refused:
        await Script(600, tmp_path / "none.js").serve(_request())
    assert refused.value.code is Code.NOT_FOUND


async def test_a_pixel_is_answered_with_an_image_once_it_is_stored(
    edge: EdgeUnderTest, primary: str
) -> None:
    target = f"/pixel.gif?site={SITE}&url=https%3A%2F%2Fshop.example%2Fmail&name=open&x=1"
    answer = await edge.send("GET", target, headers={"user-agent": BROWSER})
    assert (answer.status, answer.body) == (200, GIF)
    assert answer.headers["content-type"] == "image/gif"
    assert answer.headers["cache-control"] == "no-store"
    (envelope,) = stored_envelopes(primary)
    assert (envelope.body, envelope.headers.user_agent) == (
        b'{"site":"shop.example","url":"https://shop.example/mail","name":"open"}',
        BROWSER,
    )


async def test_a_pixel_that_is_only_asked_about_is_not_counted(
    edge: EdgeUnderTest, primary: str
) -> None:
    target = f"/pixel.gif?site={SITE}&url=https%3A%2F%2Fshop.example%2F"
    answer = await edge.send("HEAD", target)
    assert (answer.status, answer.headers["content-type"]) == (200, "image/gif")
    assert answer.headers["content-length"] == str(len(GIF))
    assert stored_envelopes(primary) == []


async def test_a_pixel_without_a_url_takes_the_page_it_stands_on(
    edge: EdgeUnderTest, primary: str
) -> None:
    headers = {"referer": "https://shop.example/page"}
    assert (await edge.send("GET", f"/pixel.gif?site={SITE}", headers=headers)).status == 200
    assert b"https://shop.example/page" in stored_envelopes(primary)[0].body


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "missing_field"),
        ("site=nowhere.example&url=https://shop.example/", "unknown_site"),
        (f"site={SITE}&url=data:x", "bad_value"),
        (f"site={SITE}&url=%ff%00", "bad_value"),
        ("&".join(f"a{n}=1" for n in range(99)), "bad_value"),
        ("site=" + "x" * 70_000, "too_large"),
    ],
)
async def test_a_faulty_pixel_is_refused_as_a_post_is(
    edge: EdgeUnderTest, query: str, code: str
) -> None:
    answer = await edge.send("GET", f"/pixel.gif?{query}")
    assert (answer.status // 100, answer.code) == (4, code)


async def test_a_pixel_honours_do_not_track(edge: EdgeUnderTest) -> None:
    answer = await edge.send("GET", f"/pixel.gif?site={SITE}", headers={"dnt": "1"})
    assert (answer.status, answer.headers["x-millrace-dropped"]) == (200, "dnt")
