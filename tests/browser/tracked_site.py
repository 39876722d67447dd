"""A small site that carries the tracker, and a recording stand-in for the edge beside it."""

import json
import queue
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from edge.http.script import BUILT

WAIT_S = 60.0
STUB = (
    "<script>window.millrace=window.millrace||function(){"
    "(millrace.q=millrace.q||[]).push(arguments)}</script>"
)


class Answer(NamedTuple):
    """What the endpoint says to one request."""

    status: int = 202
    headers: Mapping[str, str] = {}
    body: str = '{"accepted":1,"dropped":0,"receipts":["r"]}'


def refusal(status: int, code: str, message: str, **headers: str) -> Answer:
    """In the contract's shape of error."""
    body = json.dumps({"error": {"code": code, "message": message}})
    return Answer(status, headers, body)


class Request(NamedTuple):
    """One beacon: its event, its headers in lower case."""

    event: dict[str, Any]
    headers: dict[str, str]

    @property
    def is_beacon_api(self) -> bool:
        """Sent by `sendBeacon`: nobody reads the answer."""
        return self.headers["sec-fetch-mode"] == "no-cors"


class TrackedSite:
    """Every path is a page with the tracker; ``POST /track`` is recorded and answered with the
    next of ``answers``, then with 202."""

    def __init__(self, port: int = 0) -> None:
        self.requests: queue.Queue[Request] = queue.Queue()
        self.answers: queue.Queue[Answer] = queue.Queue()
        self.script = "/t.js"
        self.attributes = "data-local"
        self.element = ""
        """In place of the page's own tag, where there is one."""
        self.head = "<title>A page</title>"
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/t.js":
                    self._send(Answer(200, {"content-type": "text/javascript"}, BUILT.read_text()))
                elif self.path.startswith("/favicon"):
                    self._send(Answer(404, {}, ""))
                else:
                    self._send(Answer(200, {"content-type": "text/html"}, site.page()))

            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                body = self.rfile.read(length).decode()
                headers = {name.lower(): value for name, value in self.headers.items()}
                answer = site._next_answer()
                site.requests.put(Request(json.loads(body), headers))
                self._send(answer)

            def _send(self, answer: Answer) -> None:
                content = answer.body.encode()
                self.send_response(answer.status)
                self.send_header("access-control-allow-origin", "*")
                self.send_header("access-control-expose-headers", "Retry-After, x-millrace-dropped")
                self.send_header("content-length", str(len(content)))
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def page(self) -> str:
        """The page as it stands now."""
        attributes = f'src="{self.script}" data-site="shop.example" {self.attributes}'
        element = self.element or f"<script defer {attributes}></script>"
        return f"<!doctype html><meta charset=utf-8>{self.head}{element}"

    def next_request(self) -> Request:
        """The next beacon; fails when none comes."""
        return self.requests.get(timeout=WAIT_S)

    def next_event(self) -> dict[str, Any]:
        """The event of the next beacon."""
        return self.next_request().event

    def close(self) -> None:
        """Nobody listens any more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _next_answer(self) -> Answer:
        try:
            return self.answers.get_nowait()
        except queue.Empty:
            return Answer()


@contextmanager
def tracked_site(port: int = 0) -> Iterator[TrackedSite]:
    """A site on a free port (or the given one) until the block ends."""
    site = TrackedSite(port)
    try:
        yield site
    finally:
        site.close()
