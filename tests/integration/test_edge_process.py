"""Starting the edge: with everything away, on a port that is taken, with several workers."""

import socket
import subprocess
import sys
from pathlib import Path

from infrastructure.local.ports import free_ports
from tests.edge_processes import ROOT, EdgeProcesses, edge_processes, wait_for
from tests.edge_under_test import BEACON, BROWSER, stored_envelopes


def _nowhere() -> str:
    return f"redis://127.0.0.1:{free_ports(1)[0]}/0"


def test_with_primary_and_spool_away_it_starts_is_not_ready_and_answers_503(
    tmp_path: Path,
) -> None:
    with edge_processes(_nowhere(), _nowhere(), tmp_path / "state") as edge:
        edge.start_edge()
        assert edge.post().status == 503
        assert edge.readiness() == {"ready": False, "stores_at": "nowhere", "workers": 1}


def test_with_the_primary_away_it_starts_on_the_spool(spool: str, tmp_path: Path) -> None:
    with edge_processes(_nowhere(), spool, tmp_path / "state") as edge:
        edge.start_edge()
        assert edge.post().status == 202
        assert len(stored_envelopes(spool)) == 1
        wait_for(lambda: edge.readiness()["stores_at"] == "spool")


def test_several_workers_have_boots_of_their_own_and_common_metrics(
    primary: str, spool: str, tmp_path: Path
) -> None:
    with edge_processes(primary, spool, tmp_path / "state", edge_workers="2") as edge:
        edge.start_edge()
        wait_for(lambda: edge.readiness()["workers"] == 2)
        for _ in range(10):
            assert edge.post().status == 202
        wait_for(lambda: 'millrace_edge_requests_total{status="202"} 10.0' in edge.metrics())
        wait_for(lambda: "millrace_edge_primary_up 1.0" in edge.metrics())
        assert len(stored_envelopes(primary)) == 10


def test_what_a_killed_edge_left_in_the_temporary_folder_is_removed_by_the_next(
    primary: str, spool: str, tmp_path: Path
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    edge = EdgeProcesses(primary, spool, tmp_path / "state")
    other = EdgeProcesses(primary, spool, tmp_path / "other")
    for each in (edge, other):
        each.env["TMPDIR"] = str(temporary)
    try:
        other.start_edge()
        (living,) = temporary.iterdir()
        killed = edge.start_edge()
        killed.kill()
        killed.wait()
        assert len(list(temporary.iterdir())) == 2
        wait_for(lambda: not edge.worker_pids())
        edge.start_edge()
        assert living.is_dir()
        assert len(list(temporary.iterdir())) == 2
        assert "millrace_edge" in other.metrics()
    finally:
        edge.stop()
        other.stop()
    assert list(temporary.iterdir()) == []


def _run(edge: EdgeProcesses, module: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", module], env=edge.env, cwd=ROOT, capture_output=True, timeout=120
    )


def test_a_taken_port_is_one_clear_sentence(primary: str, spool: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        edge = EdgeProcesses(primary, spool, tmp_path / "state")
        edge.env["MILLRACE_EDGE_PORT"] = str(taken.getsockname()[1])
        ended = _run(edge, "edge")
    assert ended.returncode == 1
    assert ended.stderr.startswith(b"Cannot listen on 127.0.0.1:")
    assert b"Traceback" not in ended.stderr


def test_a_faulty_setting_is_named(primary: str, spool: str, tmp_path: Path) -> None:
    edge = EdgeProcesses(primary, spool, tmp_path / "state", seal_public_key="nonsense")
    ended = _run(edge, "edge")
    assert (ended.returncode, b"MILLRACE_SEAL_PUBLIC_KEY" in ended.stderr) == (1, True)
    edge.env["MILLRACE_EDGE_STATE_DIR"] = "/proc/nowhere"
    for module in ("edge", "edge.drain"):
        ended = _run(edge, module)
        assert (ended.returncode, b"Traceback" in ended.stderr) == (1, False)


def test_a_lying_content_length_and_broken_http_harm_nobody(
    primary: str, spool: str, tmp_path: Path
) -> None:
    with edge_processes(primary, spool, tmp_path / "state") as edge:
        edge.start_edge()
        head = b"POST /track HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\n"
        chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
        chunked = head + b"transfer-encoding: chunked\r\n\r\n" + chunk * 4 + b"0\r\n\r\n"
        assert _raw(edge, chunked).startswith(b"HTTP/1.1 413 ")
        lies = head + b'content-length: 10\r\n\r\n{"site":"shop.example"}'
        assert _raw(edge, lies).startswith(b"HTTP/1.1 400 ")
        for junk in (b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/9.9\r\n\r\n", b"\r\n\r\n\r\n\0"):
            assert b"500" not in _raw(edge, junk)[:20]
        assert edge.post().status == 202


def test_nothing_logged_holds_an_address_a_query_or_a_user_agent(
    primary: str, spool: str, tmp_path: Path
) -> None:
    edge = EdgeProcesses(
        primary, spool, tmp_path / "state", log_level="debug", edge_trusted_proxies="127.0.0.1"
    )
    log = tmp_path / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "edge"], env=edge.env, cwd=ROOT, stderr=file
        )
        try:
            wait_for(lambda: edge.readiness()["workers"])
            headers = {"x-forwarded-for": "203.0.113.77", "referer": "https://a.example/?s=3cret"}
            edge.post({**BEACON, "url": "https://shop.example/?token=3cret"}, headers)
            edge.post({**BEACON, "url": "3cret"}, headers)
        finally:
            process.terminate()
            process.wait(60)
    logged = log.read_bytes()
    assert b"listening" in logged
    for hidden in (b"203.0.113.77", b"3cret", BROWSER.encode()):
        assert hidden not in logged


def _raw(edge: EdgeProcesses, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", edge.port), timeout=60) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while part := connection.recv(65_536):
            answer += part
        return answer
