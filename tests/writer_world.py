"""What the writer's tests share: an edge that seals, a site, a database to look into."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import psycopg
from nacl.public import PublicKey
from psycopg.types.json import Jsonb

from shared.batch import VERSION, Header, seal
from shared.envelope import PROTOCOL, Envelope, Headers
from shared.keys import (
    api_key_digest,
    new_seal_key,
    new_signing_key,
    public_seal_key,
    read_private_keys,
    read_public_key,
)
from shared.settings import WriterSettings
from writer.enrich.place import Geo
from writer.known.zones import us
from writer.prepare import Entry, Preparer
from writer.quarantine.keeping import Quarantine
from writer.store import Outcome, Store

CHROME = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/141.0.0.0 Safari/537.36"
)
SITE = "example.com"
NOON = us(datetime.fromisoformat("2026-06-10T12:00:00Z"))
"""Microseconds; every clock of these tests stands here."""
SEAL_KEY = new_seal_key()
SIGNING_KEY = new_signing_key()


@dataclass
class FakeEdge:
    """Makes entries as an edge worker would: one boot, numbers counting up."""

    name: str = "e1"
    boot: int = field(default_factory=lambda: secrets.randbits(48))
    seq: int = 0
    seal_key: str = SEAL_KEY

    def entry(self, envelopes: Sequence[Envelope], n: int | None = None) -> Entry:
        """The next batch."""
        self.seq += 1
        return self.entry_at(self.seq, envelopes, n)

    def entry_at(
        self,
        seq: int,
        envelopes: Sequence[Envelope],
        n: int | None = None,
        void: tuple[int, ...] = (),
    ) -> Entry:
        """A batch of a number, that names numbers given up before it."""
        key_id, public = read_public_key(public_seal_key(self.seal_key))
        fields = self._seal(key_id, public, seq, envelopes, n, void)
        raw = {name.encode(): value for name, value in fields.items()}
        return Entry(self.name, b"%d-%d" % (self.boot, seq), raw)

    def _seal(
        self,
        key_id: str,
        public: PublicKey,
        seq: int,
        envelopes: Sequence[Envelope],
        n: int | None,
        void: tuple[int, ...],
    ) -> dict[str, bytes]:
        counts = [len(e.taken) if e.taken else 1 for e in envelopes]
        firsts = accumulate(counts, initial=0)
        count = n if n is not None else sum(counts)
        header = Header(VERSION, key_id, self.name, self.boot, seq, count, 0, void)
        placed = [
            msgspec.structs.replace(e, first=first)
            for e, first in zip(envelopes, firsts, strict=False)
        ]
        return seal(header, placed, public)


def envelope(
    *,
    received_at: int = NOON,
    site: str = SITE,
    ip: str = "203.0.113.7",
    user_agent: str = CHROME,
    language: str = "de-CH,de;q=0.9",
    key: str | None = None,
    body: bytes | None = None,
    **fields: Any,
) -> Envelope:
    """One captured beacon; ``fields`` are the event's, a pageview of ``/`` unless they differ."""
    event = {"site": site, "name": "pageview", "url": f"https://{site}/", **fields}
    return Envelope(
        received_at=received_at,
        protocol=PROTOCOL,
        site=site,
        ip="" if key is not None else ip,
        key=None if key is None else api_key_digest(key),
        verified=key is not None,
        headers=Headers(user_agent, language, ""),
        first=0,
        taken=None,
        body=body if body is not None else msgspec.json.encode(event),
    )


def put_site(database: str, key: str = SITE, **settings: Any) -> int:
    """A site whose settings hold for all time; returns its id."""
    with psycopg.connect(database, autocommit=True) as connection:
        row = connection.execute(
            "insert into site (key) values (%s) returning site_id", (key,)
        ).fetchone()
        assert row is not None
        for name, value in settings.items():
            put_setting(database, row[0], name, value, 0)
        return int(row[0])


def put_setting(database: str, site_id: int, name: str, value: Any, valid_from: int) -> None:
    """A setting that holds from an instant (µs) on."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "insert into site_setting (site_id, name, value, valid_from)"
            " values (%s, %s, %s, to_timestamp(%s::float8 / 1000000))",
            (site_id, name, Jsonb(value), valid_from),
        )


def put_edge(database: str, name: str = "e1") -> None:
    """Register an edge."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("insert into edge (edge) values (%s)", (name,))


def put_key(
    database: str,
    key: str,
    site_id: int | None = None,
    scopes: Sequence[str] = ("ingest",),
    revoked_at: int | None = None,
) -> None:
    """An API key by its text."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "insert into api_key (digest, site_id, scopes, revoked_at)"
            " values (%s, %s, %s, to_timestamp(%s::float8 / 1000000))",
            (api_key_digest(key), site_id, list(scopes), revoked_at),
        )


def rows(database: str, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """What a query finds."""
    with psycopg.connect(database, autocommit=True) as connection:
        return connection.execute(query.encode(), values).fetchall()


def standing(database: str, columns: str = "event_id") -> list[tuple[Any, ...]]:
    """Columns of the events that stand, in their order."""
    return rows(
        database, f"select {columns} from events where commit_out is null order by ts, event_id"
    )


def client_id(number: int) -> UUID:
    """A UUID of a small number, so that failures can be read."""
    return UUID(int=(4 << 76) | (2 << 62) | number)


class Pipe:
    """Preparer and store without streams between them: what goes in is stored or raises."""

    def __init__(self, database: str, geo_dir: Path | None = None, now: int = NOON) -> None:
        self.now = now
        keys = read_private_keys(SEAL_KEY)
        self.quarantine = Quarantine(keys)
        geo = Geo(geo_dir or Path("/nonexistent"))
        self.preparer = Preparer(database, keys, geo, lambda: self.now, 1095)
        self.store = Store(database, self.quarantine, clock=lambda: self.now)

    def put(self, *entries: Entry) -> list[Outcome]:
        """Take some entries as one read."""
        return self.store.put(self.preparer.prepare(entries))

    def close(self) -> None:
        """Give the connections back."""
        self.preparer.close()
        self.store.close()


def writer_settings(database: str, primary: str, **more: Any) -> WriterSettings:
    """Settings of a writer on a test's own servers."""
    return WriterSettings(
        primary_url=primary,
        postgres_url=database,
        signing_key=SIGNING_KEY,
        seal_keys=SEAL_KEY,
        geo_dir=Path("/nonexistent"),
        writer_name=f"writer-{uuid4().hex[:6]}",
        **more,
    )
