"""The built pages over HTTP, and the process as an operator meets it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from infrastructure.local.ports import free_ports
from tests.integration.api_service import api_service, error


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    """A built dashboard, in small."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>page</title>")
    (tmp_path / "assets" / "index-abc123.js").write_text("1")
    (tmp_path / "favicon.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    return tmp_path


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/", "/live", "/login"])
async def test_every_page_route_serves_the_page_and_asks_again_next_time(
    database: str, dist: Path, path: str
) -> None:
    async with api_service(database, dist) as api:
        answer = await api.client.get(path)
        assert answer.status_code == 200
        assert "<title>page</title>" in answer.text
        assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.anyio
async def test_hashed_assets_are_kept_for_ever_and_others_are_not(
    database: str, dist: Path
) -> None:
    async with api_service(database, dist) as api:
        asset = await api.client.get("/assets/index-abc123.js")
        assert "immutable" in asset.headers["cache-control"]
        assert "javascript" in asset.headers["content-type"]
        icon = await api.client.get("/favicon.svg")
        assert (icon.status_code, icon.headers["cache-control"]) == (200, "no-cache")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "path",
    ["/assets/none.js", "/none", "/api/none", "/assets/..%2f..%2fapp.py", "/a%00b", "/%ff"],
)
async def test_what_is_not_there_is_not_found_in_the_one_shape(
    database: str, dist: Path, path: str
) -> None:
    async with api_service(database, dist) as api:
        assert error(await api.client.get(path)) == (404, "not_found", None)


@pytest.mark.anyio
async def test_somebody_with_a_browser_meets_the_page_where_nothing_is(
    database: str, dist: Path
) -> None:
    browser = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    async with api_service(database, dist) as api:
        for path in ("/nowhere", "/no/where", "/sites/a/b/c"):
            answer = await api.client.get(path, headers=browser)
            assert (answer.status_code, answer.headers["cache-control"]) == (404, "no-cache")
            assert "<title>page</title>" in answer.text
        for path in ("/api/nowhere", "/v1/nowhere"):
            answer = await api.client.get(path, headers=browser)
            assert error(answer) == (404, "not_found", None)
        answer = await api.client.get("/api/v2/query", headers=browser)
        assert error(answer) == (405, "method_not_allowed", None)


@pytest.mark.anyio
async def test_a_wrong_method_is_said_with_those_there_are(database: str, dist: Path) -> None:
    async with api_service(database, dist) as api:
        answer = await api.client.put("/api/v2/query")
        assert error(answer) == (405, "method_not_allowed", None)
        assert answer.headers["allow"] == "POST"


@pytest.mark.anyio
async def test_a_missing_build_says_how_to_build(database: str, tmp_path: Path) -> None:
    async with api_service(database, tmp_path / "none") as api:
        answer = await api.client.get("/")
        assert answer.status_code == 503
        assert "npm run build" in answer.text
        assert (await api.client.get("/assets/x.js")).status_code == 404


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/", "/api/session", "/none", "/assets/index-abc123.js"])
async def test_every_answer_keeps_foreign_script_and_frames_out(
    database: str, dist: Path, path: str
) -> None:
    async with api_service(database, dist) as api:
        headers = (await api.client.get(path)).headers
        policy = headers["content-security-policy"]
        assert "script-src 'self';" in policy
        assert "connect-src 'self' ws://live.test;" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.anyio
async def test_the_description_is_served_to_anyone(database: str) -> None:
    async with api_service(database) as api:
        answer = await api.client.get("/api/openapi.json")
        assert answer.json()["openapi"] == "3.1.0"


def test_the_process_tells_when_it_is_ready_and_ends_cleanly_at_sigterm(database: str) -> None:
    port, ops_port = free_ports(2)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("MILLRACE_")},
        "MILLRACE_POSTGRES_URL": database,
        "MILLRACE_API_PORT": str(port),
        "MILLRACE_API_OPS_PORT": str(ops_port),
    }
    process = subprocess.Popen([sys.executable, "-m", "api"], env=environment)
    try:
        _wait_until_ready(f"http://127.0.0.1:{ops_port}/readyz", process)
        metrics = httpx.get(f"http://127.0.0.1:{ops_port}/metrics", timeout=60).text
        assert "millrace_api_query_seconds" in metrics
        assert httpx.get(f"http://127.0.0.1:{port}/api/session", timeout=60).status_code == 401
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()


def test_faulty_settings_end_the_process_with_their_names() -> None:
    environment = {"PATH": os.environ["PATH"], "MILLRACE_API_PORT": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "api"], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 2
    assert "MILLRACE_API_PORT" in done.stderr
    assert "MILLRACE_POSTGRES_URL" in done.stderr


def _wait_until_ready(url: str, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + 90
    while time.monotonic() < until:
        assert process.poll() is None
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError("the API did not become ready")
