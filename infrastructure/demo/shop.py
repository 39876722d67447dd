"""A few pages that wear the tracker, on a port of this machine: click there, see yourself live."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import urlsplit

PORT = 4005


class Page(NamedTuple):
    """One page: its title, what it says, and what can be done there, as HTML."""

    title: str
    says: str
    deed: str = ""


PAGES = {
    "/": Page("Demo shop", "A mill that sells flour. Every page here wears the tracker."),
    "/rye": Page(
        "Demo shop: rye",
        "Rye, stone-milled on Tuesdays.",
        "<button onclick=\"millrace('add to basket',{props:{item:'rye'}})\">Add to basket</button>",
    ),
    "/spelt": Page(
        "Demo shop: spelt",
        "Spelt, for those who have tried rye.",
        "<button onclick=\"millrace('add to basket',{props:{item:'spelt'}})\">Add to basket"
        "</button>",
    ),
    "/basket": Page(
        "Demo shop: basket",
        "One bag, 4.90 EUR. Nothing is delivered.",
        "<button onclick=\"millrace('purchase',{revenue:{amount:'4.90',currency:'EUR'}})\">Buy"
        "</button>",
    ),
}

_HTML = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 1.1rem/1.6 system-ui, sans-serif; max-width: 38rem; margin: 3rem auto }}
body {{ padding: 0 1rem }}
nav a {{ margin-right: 1rem }}
footer {{ margin-top: 3rem; font-size: .9rem }}
</style>
<script>window.millrace=window.millrace||function(){{(millrace.q=millrace.q||[]).push(arguments)}}</script>
{snippet}
<nav>{links}</nav>
<h1>{title}</h1>
<p>{says}</p>
{deed}
<footer>You are counted as a visitor of <b>{site}</b>: see yourself on the
<a href="{live_page}">live page</a>. A browser that asks not to be tracked (Do Not Track, Global
Privacy Control) is not counted; its console says so.</footer>
</html>
"""


class Wares(NamedTuple):
    """What the pages are filled in with."""

    site: str
    snippet: str
    live_page: str

    def page(self, path: str) -> str | None:
        """The HTML of a path, None where there is none."""
        page = PAGES.get(path)
        if page is None:
            return None
        return _HTML.format(
            title=escape(page.title),
            says=escape(page.says),
            deed=page.deed,
            links=" ".join(f'<a href="{to}">{escape(_name(to))}</a>' for to in PAGES),
            snippet=self.snippet,
            site=escape(self.site),
            live_page=escape(self.live_page),
        )


@contextmanager
def open_shop(port: int, wares: Wares) -> Iterator[str]:
    """Serve the pages on 127.0.0.1 within the block; gives their address."""
    server = ThreadingHTTPServer(("127.0.0.1", port), _handler(wares))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="demo shop")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(wares: Wares) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 30

        def do_GET(self) -> None:
            found = wares.page(urlsplit(self.path).path)
            body = (found or "There is no such page in the demo shop.").encode()
            self.send_response(200 if found else 404)
            kind = "html" if found else "plain"
            self.send_header("content-type", f"text/{kind}; charset=utf-8")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nobody's clicks are written down here."""

    return Handler


def _name(path: str) -> str:
    return path.strip("/") or "home"
