"""The short way of a beacon and uvicorn's own way, over real sockets: the same answers."""

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edge_processes import EdgeProcesses, edge_processes, wait_for
from tests.edge_under_test import BEACON, stored_envelopes

BODY = json.dumps(BEACON).encode()
SOON_S = "2"
"""Soon enough to wait for it, and late enough to have sent in time what is to come in time."""


@pytest.fixture
def edge(primary: str, spool: str, tmp_path: Path) -> Iterator[EdgeProcesses]:
    with edge_processes(primary, spool, tmp_path / "state") as edge:
        edge.start_edge()
        yield edge


def _request(body: bytes = BODY, *lines: str, path: str = "/track") -> bytes:
    head = [f"POST {path} HTTP/1.1", "host: x", "content-type: text/plain", *lines]
    if not any(line.startswith(("content-length", "transfer-encoding")) for line in lines):
        head.append(f"content-length: {len(body)}")
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


class Connection:
    def __init__(self, edge: EdgeProcesses) -> None:
        self.socket = socket.create_connection(("127.0.0.1", edge.port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read(self) -> tuple[int, dict[str, str], bytes]:
        status = int(self._file.readline().split()[1])
        headers = {}
        while line := self._file.readline().strip().decode():
            name, _, value = line.partition(": ")
            headers[name] = value
        return status, headers, self._file.read(int(headers.get("content-length", 0)))

    def is_closed(self) -> bool:
        return self._file.read(1) == b""


def test_a_beacon_in_one_piece_and_one_in_many_get_the_same_answer(edge: EdgeProcesses) -> None:
    connection = Connection(edge)
    request = _request(BODY, "origin: https://shop.example")
    connection.send(request)
    whole = connection.read()
    for part in (request[:40], request[40:-30], request[-30:-1], request[-1:]):
        connection.send(part)
    parted = connection.read()
    assert (whole[0], parted[0]) == (202, 202)
    for name in (
        "access-control-allow-origin",
        "access-control-expose-headers",
        "vary",
        "content-type",
    ):
        assert whole[1][name] == parted[1][name]
    assert json.loads(whole[2]).keys() == json.loads(parted[2]).keys()


def test_pipelined_beacons_are_answered_in_order(edge: EdgeProcesses, primary: str) -> None:
    connection = Connection(edge)
    bad = _request(b"{}")
    connection.send(_request() + bad + _request() + _request(path="/nowhere") + _request())
    assert [connection.read()[0] for _ in range(5)] == [202, 400, 202, 404, 202]
    assert len(stored_envelopes(primary)) == 3


def test_a_chunked_beacon_is_taken(edge: EdgeProcesses) -> None:
    connection = Connection(edge)
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
    connection.send(_request(chunks, "transfer-encoding: chunked"))
    assert connection.read()[0] == 202


def test_a_client_that_asks_for_the_end_of_the_connection_gets_it(edge: EdgeProcesses) -> None:
    connection = Connection(edge)
    connection.send(_request(BODY, "connection: close"))
    status, headers, _ = connection.read()
    assert (status, headers["connection"]) == (202, "close")
    assert connection.is_closed()


def test_a_client_that_expects_100_continue_gets_it(edge: EdgeProcesses) -> None:
    connection = Connection(edge)
    head = _request(b"", "expect: 100-continue", f"content-length: {len(BODY)}")
    connection.send(head)
    assert connection.read()[0] == 100
    connection.send(BODY)
    assert connection.read()[0] == 202


@pytest.mark.parametrize("begun", [b"", b"POST /track HT", _request()[:70]])
def test_a_head_that_does_not_come_ends_the_connection(
    primary: str, spool: str, tmp_path: Path, begun: bytes
) -> None:
    with edge_processes(primary, spool, tmp_path / "state", edge_body_timeout_s=SOON_S) as edge:
        edge.start_edge()
        connection = Connection(edge)
        connection.send(begun)
        with contextlib.suppress(ConnectionResetError):
            assert connection.is_closed()
        after = Connection(edge)
        after.send(_request())
        assert after.read()[0] == 202


ENDLESS = {
    "headers": (b"POST /track HTTP/1.1\r\nhost: x\r\n", b"a:b\r\n" * 10_000),
    "one header": (b"POST /track HTTP/1.1\r\nhost: x\r\na: ", b"x" * 50_000),
    "an address": (b"GET /", b"x" * 50_000),
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_a_head_without_end_is_answered_with_431_and_cut_off(
    edge: EdgeProcesses, kind: str
) -> None:
    begin, more = ENDLESS[kind]
    connection = Connection(edge)
    connection.send(begin)
    answer = _feed(connection, more)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b'"code":"head_too_large"' in answer
    assert edge.post().status == 202


def test_a_head_too_large_is_refused_in_one_piece_too(edge: EdgeProcesses) -> None:
    for lines in (["a: " + "x" * 40_000], ["a: b"] * 101):
        connection = Connection(edge)
        connection.send(_request(BODY, *lines))
        status, headers, body = connection.read()
        assert (status, json.loads(body)["error"]["code"]) == (431, "head_too_large")
        assert headers["connection"] == "close"
        assert connection.is_closed()


def test_what_came_before_a_head_does_not_count_as_part_of_it(edge: EdgeProcesses) -> None:
    connection = Connection(edge)
    large = b" " * 60_000 + BODY
    for _ in range(3):
        connection.send(_request(large) + _request()[:30])
        assert connection.read()[0] == 202
        connection.send(_request()[30:])
        assert connection.read()[0] == 202


def test_trailers_without_end_are_cut_off(edge: EdgeProcesses) -> None:
    connection = Connection(edge)
    connection.send(_request(b"0\r\n", "transfer-encoding: chunked"))
    _feed(connection, b"a:b\r\n" * 10_000)
    other = Connection(edge)
    other.send(_request(b"0\r\na: ", "transfer-encoding: chunked"))
    _feed(other, b"x" * 50_000)
    assert edge.post().status == 202


def test_what_is_not_http_gets_our_shape_of_error(edge: EdgeProcesses) -> None:
    connection = Connection(edge)
    connection.send(b"HELO edge\r\n\r\n")
    status, headers, body = connection.read()
    assert (status, json.loads(body)["error"]["code"]) == (400, "bad_http")
    assert headers["content-type"] == "application/json"
    assert connection.is_closed()


def _feed(connection: Connection, data: bytes, most_bytes: int = 20_000_000) -> bytes:
    """What the other side says when sent `data` again and again, until it closes."""
    answer, sent = b"", 0
    connection.socket.settimeout(60)
    try:
        while not answer and sent < most_bytes:
            connection.send(data)
            sent += len(data)
            connection.socket.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                answer += connection.socket.recv(65_536)
            connection.socket.settimeout(60)
    except (ConnectionResetError, BrokenPipeError):
        with contextlib.suppress(OSError):
            answer += connection.socket.recv(65_536)
    assert sent < most_bytes
    return answer


def test_a_body_that_does_not_come_is_a_408_over_the_wire(
    primary: str, spool: str, tmp_path: Path
) -> None:
    with edge_processes(primary, spool, tmp_path / "state", edge_body_timeout_s=SOON_S) as edge:
        edge.start_edge()
        connection = Connection(edge)
        connection.send(_request()[:-5])
        assert connection.read()[0] == 408
        assert connection.is_closed()


def _large(body_bytes: int, *lines: str, path: str = "/track") -> bytes:
    return _request(b"", f"content-length: {body_bytes}", *lines, path=path)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (_large(9, "content-encoding: gzip"), 415),
        (_large(9, "authorization: Basic x"), 401),
        (_large(9, path="/nowhere"), 404),
        (_large(1_048_577), 413),
        (_large(9_999_999, "expect: 100-continue"), 413),
    ],
)
def test_a_request_refused_by_its_head_is_answered_before_its_body_comes(
    edge: EdgeProcesses, head: bytes, status: int
) -> None:
    connection = Connection(edge)
    connection.send(head)
    answer = connection.read()
    assert (answer[0], answer[1]["connection"]) == (status, "close")


@pytest.mark.parametrize("path", ["/track", "/nowhere"])
def test_the_answer_reaches_a_client_that_sends_its_whole_body_first(
    edge: EdgeProcesses, path: str
) -> None:
    for body in (b"x" * 3_000_000, b"[" + b"x" * 3_000_000):
        connection = Connection(edge)
        connection.send(_request(body, path=path))
        assert connection.read()[0] in (404, 413)
        assert connection.is_closed()


@pytest.mark.parametrize("path", ["/track", "/nowhere"])
def test_a_body_that_never_stops_after_its_refusal_is_cut_off(
    edge: EdgeProcesses, path: str
) -> None:
    connection = Connection(edge)
    connection.send(
        _request(b"", "transfer-encoding: chunked", "content-encoding: gzip", path=path)
    )
    chunk = b"%x\r\n%b\r\n" % (65_536, b"x" * 65_536)
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        connection.send(chunk * 300)


def test_a_refused_body_that_came_whole_leaves_the_connection_open(edge: EdgeProcesses) -> None:
    connection = Connection(edge)
    for lines in (["content-encoding: gzip"], ["authorization: Basic x"]):
        connection.send(_request(BODY, *lines))
        status, headers, _ = connection.read()
        assert (status // 100, headers.get("connection")) == (4, None)
    connection.send(_request())
    assert connection.read()[0] == 202


def test_a_body_too_large_whose_rest_does_not_come_is_a_413_and_not_a_408(
    primary: str, spool: str, tmp_path: Path
) -> None:
    with edge_processes(primary, spool, tmp_path / "state", edge_body_timeout_s=SOON_S) as edge:
        edge.start_edge()
        connection = Connection(edge)
        connection.send(_large(900_000) + b"x" * 70_000)
        assert connection.read()[0] == 413
        assert connection.is_closed()


def test_clients_that_hang_up_at_once_leave_nothing_held_and_nothing_logged(
    edge: EdgeProcesses, capfd: pytest.CaptureFixture[str]
) -> None:
    for cut in (len(_request()), 60, -10):
        for _ in range(30):
            connection = Connection(edge)
            connection.send(_request()[:cut])
            connection.socket.close()
    assert edge.post().status == 202
    wait_for(lambda: "millrace_edge_body_bytes 0.0" in edge.metrics())
    assert "Traceback" not in capfd.readouterr().err
