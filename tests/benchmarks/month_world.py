"""A month of a busy site and two small ones, stored by the product itself and ready to be asked.

The beacons go through the writer, the rollups are brought up to date, every closed day is
archived; then the API answers over HTTP. Loading takes minutes, so it is done once a run, and with
`--data FOLDER` once for all runs.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from redis import Redis

from infrastructure.local.folders import make_folder
from infrastructure.local.installation import EDGE, open_installation
from infrastructure.local.product import Product, make_product
from infrastructure.local.stack import local_stack
from infrastructure.manifest import read_manifest
from shared.keys import new_api_key
from shared.snapshot import SCOPES
from tests.benchmarks.month_feed import Feed
from tests.benchmarks.month_traffic import MadeSite, beacons_of, days, write_places
from tests.writer_world import put_key, put_site
from writer.archive.work import write_due

DAYS = 30
SMALL = (MadeSite("small.example", "UTC", 200), MadeSite("far.example", "Pacific/Auckland", 200))
BUSY = "busy.example"
BUSY_ZONE = "Asia/Kolkata"
_CLOSED_AFTER = timedelta(days=3)
_STAMP = "loaded.json"
_ANSWER_S = 120
_ARCHIVE_MB = 512
_TELL_EVERY_DAYS = 5
_LOOK_EVERY_S = 0.05
_BEHIND = "SELECT (SELECT max(commit_no) FROM commits) - commit_no FROM rollup_progress"
_COUNT = "SELECT count(*) FROM events"


class Loaded(msgspec.Struct):
    """What a folder holds. ``took_s``: of each step of loading."""

    wanted: int
    events: int
    first: date
    last: date
    took_s: dict[str, float]


class MonthWorld:
    """The product with the month in it; ``loaded`` once ``load`` is done."""

    def __init__(self, product: Product, folder: Path, say: Any) -> None:
        self.product = product
        self.database = product.postgres_url
        self.folder = folder
        self.say = say
        self.loaded: Loaded
        self._key = ""
        self._api_port = int(product.settings["MILLRACE_API_PORT"])

    @property
    def site_id(self) -> int:
        """The busy site's."""
        with psycopg.connect(self.database) as connection:
            found = connection.execute("SELECT site_id FROM site WHERE key = %s", [BUSY]).fetchone()
        assert found is not None
        return int(found[0])

    def load(self, events: int) -> None:
        """Everything, unless the folder has it already."""
        stamp = self.folder / _STAMP
        if stamp.exists():
            self.loaded = msgspec.json.decode(stamp.read_bytes(), type=Loaded)
            if self.loaded.wanted == events:
                return
            raise RuntimeError(f"{self.folder} holds {self.loaded.wanted} events: name another")
        self.loaded = self._load(events)
        stamp.write_bytes(msgspec.json.encode(self.loaded))

    def start_api(self) -> None:
        """Until it is ready; with a key for questions."""
        self._key = new_api_key()
        put_key(self.database, self._key, scopes=(SCOPES.QUERY,))
        api = self.product.services["api"]
        api.start()
        api.wait_until_ready()

    def ask(self, path: str, body: object) -> tuple[Any, float]:
        """The answer, and how many seconds it took to come whole over a connection that stood."""
        connection = HTTPConnection("127.0.0.1", self._api_port, timeout=_ANSWER_S)
        connection.connect()
        raw = msgspec.json.encode(body)
        headers = {"authorization": f"Bearer {self._key}", "content-type": "application/json"}
        began = time.perf_counter()
        connection.request("POST", path, raw, headers)
        response = connection.getresponse()
        answered = response.read()
        took = time.perf_counter() - began
        connection.close()
        if response.status != 200:
            raise RuntimeError(f"{path} answered {response.status}: {answered.decode()[:400]}")
        return msgspec.json.decode(answered), took

    def feed(self, redis: Redis) -> Feed:
        """A new boot of the only edge."""
        seal_key = Path(self.product.settings["MILLRACE_SEAL_KEYS_FILE"]).read_text().strip()
        return Feed(redis, EDGE, seal_key)

    def wait_for_rollups(self, within_s: float = 1_800) -> None:
        """Until they hold for the last commit."""
        deadline = time.monotonic() + within_s
        with psycopg.connect(self.database, autocommit=True) as connection:
            while connection.execute(_BEHIND).fetchone() != (0,):
                if time.monotonic() > deadline:
                    raise RuntimeError("the rollups did not catch up")
                time.sleep(_LOOK_EVERY_S)

    def _load(self, events: int) -> Loaded:
        busy = MadeSite(BUSY, BUSY_ZONE, events // DAYS)
        wanted = closed_days(DAYS)
        sent, took = self.fill([busy, *SMALL], wanted)
        return Loaded(events, sent, wanted[0], wanted[-1], took)

    def fill(
        self, sites: Sequence[MadeSite], wanted: Sequence[date]
    ) -> tuple[int, dict[str, float]]:
        """Store, roll up and archive some days of new sites; events, and seconds of each step."""
        for site in sites:
            put_site(self.database, site.key, time_zone=site.zone)
        writer = self.product.services["writer"]
        writer.start()
        writer.wait_until_ready()
        took: dict[str, float] = {}
        sent = self._send(sites, wanted, took)
        self._timed(took, "rollups behind the writer", self.wait_for_rollups)
        writer.stop()
        with psycopg.connect(self.database, autocommit=True) as connection:
            assert connection.execute(_COUNT).fetchone() == (sent,), (
                "not all that was sent is there"
            )
            self._timed(took, "vacuum", lambda: connection.execute("VACUUM (ANALYZE)"))
            self._timed(took, "archive", lambda: self._archive(connection))
        return sent, took

    def _send(
        self, sites: Sequence[MadeSite], wanted: Sequence[date], took: dict[str, float]
    ) -> int:
        began, sent = time.monotonic(), 0
        with Redis.from_url(self.product.stack.primary_url) as redis:
            feed = self.feed(redis)
            for day in wanted:
                beacons = [each for site in sites for each in beacons_of(site, day)]
                sent += feed.send(sorted(beacons))
                # So that the ledger does not have everything to fold at the end.
                feed.tell(ended=False)
                if day.day % _TELL_EVERY_DAYS == 0:
                    self.say(f"  {day}: {sent:,} events after {time.monotonic() - began:.0f} s")
            feed.wait_until_stored(600)
            took["sent and stored"] = round(time.monotonic() - began, 1)
            feed.tell(ended=True)
            self._wait_until_final(wanted[-1])
        return sent

    def _wait_until_final(self, last: date) -> None:
        """Until the ledger has seen the heartbeat."""
        deadline = time.monotonic() + 120
        final = "SELECT bool_and(ended) AND NOT EXISTS (SELECT FROM batch) FROM boot"
        with psycopg.connect(self.database, autocommit=True) as connection:
            while connection.execute(final).fetchone() != (True,):
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{last} does not close")
                time.sleep(_LOOK_EVERY_S)

    def _archive(self, connection: psycopg.Connection[Any]) -> None:
        """As the job does, until nothing is due."""
        folder = make_folder(self.folder / "archive")
        self.say(f"  {dict(write_due(connection, folder, _ARCHIVE_MB, datetime.now(UTC)))}")

    def _timed(self, took: dict[str, float], what: str, work: Any) -> None:
        began = time.monotonic()
        work()
        took[what] = round(time.monotonic() - began, 1)
        self.say(f"  {what}: {took[what]:.1f} s")


def closed_days(count: int) -> list[date]:
    """So many, the last of which closed a while ago in every zone."""
    last = (datetime.now(UTC) - _CLOSED_AFTER).date()
    return days(last - timedelta(days=count - 1), count)


@contextmanager
def month_world(folder: Path, events: int, say: Any) -> Iterator[MonthWorld]:
    """Loaded and answering; its servers and services end with the context."""
    with empty_world(folder, say) as world:
        world.load(events)
        world.start_api()
        yield world


@contextmanager
def empty_world(folder: Path, say: Any) -> Iterator[MonthWorld]:
    """The servers, and every service ready to be started."""
    make_folder(folder)
    manifest = read_manifest()
    installation = open_installation(folder, manifest, {}, free=True)
    write_places(folder / "geo")
    stack = local_stack(folder / "stack", installation.stack)
    changes = {
        "MILLRACE_GEO_REFRESH": "false",
        "MILLRACE_LOG_LEVEL": "warning",
        "MILLRACE_ARCHIVE_FOLDER": str(folder / "archive"),
    }
    product = make_product(folder, installation, stack, changes=changes, manifest=manifest)
    product.start_servers()
    try:
        yield MonthWorld(product, folder, say)
    finally:
        product.close()
