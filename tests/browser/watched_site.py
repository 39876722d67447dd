"""API and gateway over a test's own database, and a browser that is signed in."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from argon2 import PasswordHasher
from playwright.sync_api import Browser, BrowserContext, Page

from infrastructure.local.frontend import build_front_ends
from infrastructure.local.installation import chosen_ports, new_installation
from infrastructure.local.processes import Processes, make_processes
from infrastructure.local.server import POSTGRES_SETTING, PRIMARY_SETTING, SPOOL_SETTING
from infrastructure.manifest import read_manifest
from tests.integration.live_world import SITE, Store

EMAIL, PASSWORD = "owner@example.com", "a long enough password"


@dataclass
class WatchedSite:
    """`complaints`: what the browser's console said of errors, or a request to another host."""

    url: str
    store: Store
    services: Processes
    complaints: list[str] = field(default_factory=list)

    def open(self, context: BrowserContext, path: str = f"/live?site={SITE}") -> Page:
        """A page at `path`, whose complaints are noted."""
        page = context.new_page()
        page.on(
            "console",
            lambda line: self.complaints.append(line.text) if line.type == "error" else None,
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self._note_host(request.url))
        page.goto(self.url + path)
        return page

    def sign_in(self, page: Page, password: str = PASSWORD) -> None:
        page.get_by_label("E-mail").fill(EMAIL)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Sign in").click()

    def signed_in(self, browser: Browser, **how: object) -> BrowserContext:
        """A browser context that holds the cookie."""
        context = browser.new_context(**how)  # type: ignore[arg-type]
        page = self.open(context, "/login")
        self.sign_in(page)
        page.get_by_role("heading", name="Sites").wait_for()
        page.close()
        self.complaints.clear()
        return context

    def _note_host(self, url: str) -> None:
        if "127.0.0.1" not in url:
            self.complaints.append(f"asked {url}")


@contextmanager
def watched_site(database: str, primary: str, scratch: Path) -> Iterator[WatchedSite]:
    """One site and one owner; the services end with the context."""
    build_front_ends()
    store = Store(database)
    store.add_site()
    with psycopg.connect(database) as connection:
        connection.execute(
            "INSERT INTO owner (email, password) VALUES (%s, %s)",
            [EMAIL, PasswordHasher().hash(PASSWORD)],
        )
    settings = {
        **new_installation(chosen_ports(read_manifest())).settings(),
        PRIMARY_SETTING: primary,
        SPOOL_SETTING: primary,
        POSTGRES_SETTING: database,
    }
    logs = Path(tempfile.mkdtemp(prefix="watched-", dir=scratch))
    services = make_processes(read_manifest(), settings, logs)
    try:
        for name in ("api", "realtime"):
            services[name].start()
        for name in ("api", "realtime"):
            services[name].wait_until_ready()
        yield WatchedSite(settings["MILLRACE_API_URL"], store, services)
    finally:
        for name in ("api", "realtime"):
            services[name].stop()


def keep_picture(page: Page, name: str) -> None:
    """A screenshot in the folder that `PICTURES` names, for whoever wants to look."""
    if folder := os.environ.get("PICTURES"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)
