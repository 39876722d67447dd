"""``ambiguous_duplicates``: writes that arrive at the primary and whose replies get lost.

The edge cannot know, and stores the same batch in its spool; the drain sends it again. Afterwards
the database is asked for every receipt: nothing may be there twice, or missing, or by itself.
"""

import asyncio
import time
import urllib.request
from collections import Counter
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx
import psycopg
from sqlalchemy import select

from api.database import open_transaction
from api.sites import put_site
from infrastructure.local.installation import EDGE, chosen_ports, new_installation
from infrastructure.local.product import Product, make_product
from infrastructure.local.redis_server import RedisServer
from infrastructure.local.server import PRIMARY_SETTING
from infrastructure.manifest import read_manifest
from tests.benchmarks.context import Context
from tests.benchmarks.figure import Figure, exact
from tests.benchmarks.swallowing_proxy import SwallowingProxy
from tests.benchmarks.timed_load import Beacon, TimedLoad
from tests.chaos.background import Background
from tests.chaos.stand import with_settings
from writer.tables import snapshot_version

FORCED = 1_000
SITE = "shop.example"
WORKERS = 4
RATE = 200.0
SECONDS = 20.0
_MOST_RUNS = 8
_ARRIVES_WITHIN_S = 240.0
_CHANGES = {
    "MILLRACE_GEO_REFRESH": "false",
    "MILLRACE_EDGE_TRUSTED_PROXIES": "127.0.0.1/32",
    "MILLRACE_EDGE_WORKERS": str(WORKERS),
}
GIVES_UP_S = 0.3
"""A silent connection is given up after so long; with two seconds a thousand would take an hour."""


def run(context: Context) -> list[Figure]:
    """Figures that must be FORCED, 0, 0 and 0."""
    return swallow(context, FORCED, SECONDS)


def swallow(
    context: Context, forced: int, seconds: float, gives_up_s: float = GIVES_UP_S
) -> list[Figure]:
    """The same of any number; ``seconds``: how long to send at a time, until that is reached."""
    primary = context.stack.primary
    assert isinstance(primary, RedisServer)
    proxy = SwallowingProxy(primary.port)
    with Background() as background:
        background.run(proxy.start())
        url = primary.url.replace(f":{primary.port}/", f":{proxy.port}/")
        with _product(context, url, gives_up_s) as product:
            asyncio.run(_put_site(product))
            acknowledged = _load(context, product, proxy, forced, seconds)
            _wait_until_arrived(product, len(acknowledged))
            stored = _stored(product)
            repeated = _repeated(product)
    receipts = {each.receipt for each in acknowledged}
    detail = {"acknowledged": len(receipts), "batches_known_by_the_ledger": repeated}
    return [
        exact("ambiguous_duplicates", sum(stored.values()) - len(stored), "", **detail),
        exact("ambiguous_forced", proxy.swallowed, ""),
        exact("ambiguous_lost", len(receipts - stored.keys()), ""),
        exact("ambiguous_invented", len(stored.keys() - receipts), ""),
    ]


def _product(context: Context, url: str, gives_up_s: float) -> Product:
    """Its edge reaches the primary by the proxy; all others by the straight way."""
    installation = new_installation(chosen_ports(read_manifest()))
    folder = context.folder / "ambiguous"
    folder.mkdir()
    changes = {**_CHANGES, "MILLRACE_SPOOL_TIMEOUT_S": str(gives_up_s)}
    product = make_product(folder, installation, context.stack, changes=changes)
    return with_settings(product, {"edge": {PRIMARY_SETTING: url}})


async def _put_site(product: Product) -> None:
    """As busy as it likes; waits until every worker of the edge has heard of it."""
    async with open_transaction(product.postgres_url) as db:
        await put_site(db, SITE, {"events_per_s": 50_000}, datetime.now(UTC))
        version = int(await db.scalar(select(snapshot_version.c.version)) or 0)
    deadline = time.monotonic() + _ARRIVES_WITHIN_S
    while not _is_known(product, version):
        if time.monotonic() > deadline:
            raise RuntimeError("the edge has not heard of its site")
        await asyncio.sleep(0.1)


def _is_known(product: Product, version: int) -> bool:
    """A worker that has only begun to start is in no metric yet."""
    url = f"{product.services['edge'].ops_url}/readyz"
    workers = httpx.get(url, trust_env=False, timeout=60).json()["workers"]
    known = _metric(product, "edge", "millrace_edge_snapshot_version")
    return bool(workers == WORKERS and known >= version)


def _load(
    context: Context, product: Product, proxy: SwallowingProxy, forced: int, seconds: float
) -> list[Beacon]:
    """What was acknowledged, until so many replies were swallowed."""
    port = urlsplit(product.edge_url).port
    assert port is not None
    sent: list[Beacon] = []
    for _ in range(_MOST_RUNS):
        with TimedLoad(port, WORKERS, RATE, seconds) as load:
            proxy.wanted = forced
            sent += load.finish()
            proxy.wanted = 0
        sent += load.before
        context.say(f"  {proxy.swallowed} replies swallowed, {len(sent)} beacons sent")
        if proxy.swallowed >= forced:
            return [each for each in sent if each.status == 202]
    raise RuntimeError(f"only {proxy.swallowed} replies could be swallowed")


def _wait_until_arrived(product: Product, acknowledged: int) -> None:
    """Until spool and stream are empty, or for some minutes."""
    stack = product.stack
    assert isinstance(stack.primary, RedisServer)
    assert isinstance(stack.spool, RedisServer)
    deadline = time.monotonic() + _ARRIVES_WITHIN_S
    with stack.primary.client() as primary, stack.spool.client() as spool:
        while time.monotonic() < deadline:
            waiting = int(primary.xlen(f"ingest:{EDGE}")) + int(spool.xlen(f"ingest:{EDGE}"))
            if not waiting and sum(_stored(product).values()) >= acknowledged:
                return
            time.sleep(0.5)


def _stored(product: Product) -> Counter[str]:
    """Rows by event id."""
    with psycopg.connect(product.postgres_url) as db:
        rows = db.execute("select event_id::text from events where commit_out is null").fetchall()
    return Counter(event_id for (event_id,) in rows)


def _repeated(product: Product) -> int:
    """Batches that the ledger knew already, as the writer counts them."""
    return _metric(product, "writer", 'millrace_writer_batches_total{outcome="repeated"}')


def _metric(product: Product, service: str, name: str) -> int:
    """0 while there is none of that name."""
    with urllib.request.urlopen(f"{product.services[service].ops_url}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    found = [line.removeprefix(f"{name} ") for line in lines if line.startswith(f"{name} ")]
    return sum(int(float(value)) for value in found)
