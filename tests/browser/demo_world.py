"""The whole product with two months of the demo's history, and half an hour that has just been."""

import asyncio
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, TypeVar
from uuid import UUID

import httpx
import psycopg
from playwright.sync_api import Browser, BrowserContext, Page

from api.database import open_transaction
from api.keys import put_key
from api.sites import put_site
from infrastructure.demo.history import PastEvent
from infrastructure.demo.household import OWNER, SITE, settle_in
from infrastructure.demo.seed import Seed
from infrastructure.local.frontend import build_front_ends
from infrastructure.local.installation import chosen_ports, new_installation
from infrastructure.local.product import Product, make_product
from infrastructure.local.stack import LocalStack
from infrastructure.manifest import read_manifest
from infrastructure.replay.delivery import Delivery
from infrastructure.replay.import_key import ImportKey, own_key
from infrastructure.replay.parcel import Parcel
from infrastructure.traffic.browsers import CRAWLERS
from infrastructure.traffic.countries import COUNTRIES
from infrastructure.traffic.visit import new_visitor, plan_visit
from shared.snapshot import SCOPES
from tests.tiny_mmdb import write_mmdb

T = TypeVar("T")

PASSWORD = "a long enough password"
NEW_SITE = "new.example"
"""Nothing has ever come for it."""

_CITIES = {
    "US": ("New York", "New York"), "DE": ("Berlin", "Berlin"), "GB": ("England", "London"),
    "FR": ("Île-de-France", "Paris"), "NL": ("North Holland", "Amsterdam"),
    "CH": ("Zurich", "Zürich"), "JP": ("Tokyo", "Tokyo"), "IN": ("Karnataka", "Bengaluru"),
}  # fmt: skip
_RECENT_S = 1_740
_PATIENCE_S = 120.0
_STORED = "select count(*) from events where event_id = any(%s)"


class DemoWorld:
    """`complaints`: what the browser's console said of errors, and requests to other hosts."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self.url = product.api_url
        self.complaints: list[str] = []

    def signed_in(self, browser: Browser, **how: object) -> BrowserContext:
        """A browser context that holds the owner's cookie."""
        context = browser.new_context(**how)  # type: ignore[arg-type]
        context.set_default_timeout(60_000)
        page = self.open(context, "/login")
        page.get_by_label("E-mail").fill(OWNER)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("button", name="Sign out").wait_for()
        page.close()
        self.complaints.clear()
        return context

    def open(self, context: BrowserContext, path: str) -> Page:
        """A page at `path` that is listened to."""
        page = context.new_page()
        page.on("console", lambda line: self._note(line.text if line.type == "error" else ""))
        page.on("pageerror", lambda error: self._note(str(error)))
        page.on("request", lambda request: self._note_host(request.url))
        page.on("websocket", lambda socket: self._note_host(socket.url))
        page.goto(self.url + path)
        return page

    def _note(self, complaint: str) -> None:
        # Before the sign-in the browser tells of the answer that there is no session.
        if complaint and "status of 401" not in complaint:
            self.complaints.append(complaint)

    def _note_host(self, url: str) -> None:
        own = (self.url, self.product.live_url.partition("/live")[0], "data:", "blob:")
        if not url.startswith(own):
            self._note(f"asked {url}")


@contextmanager
def demo_world(folder: Path, stack: LocalStack, events_a_day: int) -> Iterator[DemoWorld]:
    """Everything that is stored went through the edge and the writer. The services end with the
    context."""
    build_front_ends()
    installation = new_installation(chosen_ports(read_manifest()))
    changes = {"MILLRACE_GEO_REFRESH": "false", "MILLRACE_EDGE_TRUSTED_PROXIES": "127.0.0.1/32"}
    product = make_product(folder, installation, stack, changes=changes)
    _put_places(folder / "geo")
    product.start_servers()
    in_thread(_settle(product))
    key = own_key(folder, product.postgres_url, SITE)
    with product:
        _fill(product, key, events_a_day)
        yield DemoWorld(product)


def in_thread(work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`: Playwright runs a loop of its own in this thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def recent(visits: int, seed: int = 7) -> list[PastEvent]:
    """Events of the last half hour, every fifteenth by a crawler that says so."""
    rng, now = Random(seed), time.time()
    planned = [
        each
        for number in range(visits)
        for each in plan_visit(
            rng, SITE, new_visitor(rng, 12), now - _RECENT_S * (1 - number / visits)
        )
    ]
    return [
        PastEvent(
            id=UUID(int=rng.getrandbits(128), version=4),
            ts=round(each.at_s * 1_000),
            ip=each.visitor.address,
            user_agent=CRAWLERS[1].user_agent if rng.random() < 1 / 15 else each.visitor.user_agent,
            **{name: getattr(each.event, name) for name in each.event.__struct_fields__},
        )
        for each in planned
        if each.at_s < now
    ]


def _put_places(folder: Path) -> None:
    """Where the made-up visitors' addresses are."""
    folder.mkdir()
    records = {}
    for country in COUNTRIES:
        region, city = _CITIES.get(country.code, ("", ""))
        record = {"country_code": country.code, "state1": region, "city": city}
        records.update(dict.fromkeys(country.networks, record))
    write_mmdb(folder / "city-ipv4.mmdb", records)


async def _settle(product: Product) -> None:
    await settle_in(product.postgres_url, PASSWORD)
    async with open_transaction(product.postgres_url) as db:
        await put_site(db, NEW_SITE, {"time_zone": "Europe/Berlin"}, datetime.now(UTC))
        await put_key(db, (SCOPES.QUERY,), None, "Weekly report")


def _fill(product: Product, key: ImportKey, events_a_day: int) -> None:
    database = product.postgres_url
    seed = Seed(product.edge_url, database, SITE, key, events_a_day, lambda done, total: None)
    in_thread(seed.run(datetime.now(UTC)))
    in_thread(_send(product, key, recent(150)))


async def _send(product: Product, key: ImportKey, events: list[PastEvent]) -> None:
    """Until all of them are stored."""
    parcel = Parcel()
    bodies = [*map(parcel.add, events), parcel.take()]
    async with httpx.AsyncClient(trust_env=False) as client:
        url = f"{product.edge_url}/track"
        delivery = Delivery(client, url, key.text, lambda _: None, new_key=key.new)
        for body in filter(None, bodies):
            await delivery.send(body)
    ids = [event.event_id for event in events]
    async with await psycopg.AsyncConnection.connect(product.postgres_url, autocommit=True) as db:
        deadline_s = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline_s:
            found = await (await db.execute(_STORED, [ids])).fetchone()
            if found == (len(ids),):
                return
            await asyncio.sleep(0.2)
    raise AssertionError("what was just sent is not stored")
