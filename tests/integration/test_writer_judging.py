"""What the writer decides by what the database knows: sites, keys, settings, days, salts."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec
import psycopg
import pytest
import zstandard
from nacl.public import SealedBox

from shared import receipt
from shared.keys import new_api_key, public_seal_key, read_public_key
from tests.writer_world import (
    NOON,
    SEAL_KEY,
    FakeEdge,
    Pipe,
    client_id,
    envelope,
    put_key,
    put_setting,
    put_site,
    rows,
    standing,
)
from writer.draft import Draft
from writer.enrich.pipeline import Step
from writer.known.salts import SALT_BYTES, SaltBook
from writer.known.zones import Day, us
from writer.prepare import Entry

HOUR = 3_600_000_000
DAY = 24 * HOUR


@pytest.fixture
def site(database: str) -> int:
    return put_site(database)


@pytest.fixture
def pipe(database: str, site: int) -> Iterator[Pipe]:
    made = Pipe(database)
    yield made
    made.close()


def reasons(database: str) -> list[tuple[object, ...]]:
    return rows(database, "select index, reason from quarantine order by quarantine_id")


def test_an_unknown_site_goes_to_the_quarantine_and_its_neighbour_does_not(
    database: str, pipe: Pipe
) -> None:
    pipe.put(FakeEdge().entry([envelope(site="nowhere.example"), envelope()]))
    assert reasons(database) == [(0, "unknown_site")]
    assert len(standing(database)) == 1


def test_a_site_added_a_moment_ago_is_known(database: str, pipe: Pipe) -> None:
    pipe.put(FakeEdge().entry([envelope()]))
    put_site(database, "new.example")
    pipe.put(FakeEdge().entry([envelope(site="New.Example")]))
    assert len(standing(database)) == 2


def test_an_envelope_set_aside_can_be_opened_again(database: str, pipe: Pipe) -> None:
    sent = envelope(site="nowhere.example", title="secret")
    pipe.put(FakeEdge().entry([envelope(), sent]))
    [(sealed,)] = rows(database, "select sealed from quarantine")
    assert b"secret" not in bytes(sealed)
    kept = pipe.quarantine.open(bytes(sealed))
    assert (kept.body, kept.first, kept.taken) == (sent.body, 1, [0])


def test_keys_are_checked_again(database: str, site: int, pipe: Pipe) -> None:
    other = put_site(database, "other.example")
    keys = {name: new_api_key() for name in ("good", "unknown", "revoked", "other", "query")}
    put_key(database, keys["good"], site)
    put_key(database, keys["revoked"], site, revoked_at=NOON - 1)
    put_key(database, keys["other"], other)
    put_key(database, keys["query"], site, scopes=["query"])
    pipe.put(FakeEdge().entry([envelope(key=key) for key in keys.values()]))
    assert reasons(database) == [
        (1, "unknown_key"),
        (2, "revoked_key"),
        (3, "key_of_other_site"),
        (4, "key_without_scope"),
    ]
    assert len(standing(database)) == 1


def test_a_key_revoked_after_receipt_still_counts(database: str, site: int, pipe: Pipe) -> None:
    key = new_api_key()
    put_key(database, key, site, revoked_at=NOON + 1)
    pipe.put(FakeEdge().entry([envelope(key=key)]))
    assert len(standing(database)) == 1


def test_a_keyed_event_is_about_whom_it_names(database: str, site: int, pipe: Pipe) -> None:
    key = new_api_key()
    put_key(database, key, site)
    nobody = envelope(key=key, user_agent="python-requests/2.0", title="nobody")
    named = envelope(key=key, user_agent="x", title="named", ip="198.51.100.1")
    body = {"site": "example.com", "url": "https://example.com/", "title": "named"}
    named = msgspec.structs.replace(
        named,
        body=msgspec.json.encode({**body, "ip": "198.51.100.1", "user_agent": "curl/8"}),
    )
    pipe.put(FakeEdge().entry([nobody, named]))
    found = standing(database, "title, visitor is not null, bot, language")
    assert found == [("nobody", False, None, ""), ("named", True, "^curl", "")]


def test_a_visitor_is_one_however_the_address_is_spelt(
    database: str, site: int, pipe: Pipe
) -> None:
    key = new_api_key()
    put_key(database, key, site)
    event = {"site": "example.com", "url": "https://example.com/"}
    for ips in (
        ("2001:DB8:0:0::1", "2001:db8::1", "2001:0db8::0001"),
        ("198.51.100.1", "::ffff:198.51.100.1", "::FFFF:c633:6401"),
    ):
        pipe.put(
            FakeEdge().entry(
                [envelope(key=key, body=msgspec.json.encode({**event, "ip": ip})) for ip in ips]
            )
        )
    assert rows(database, "select count(*), count(distinct visitor) from events") == [(6, 2)]


def test_a_time_too_far_back_is_set_aside_without_the_import_scope(
    database: str, site: int, pipe: Pipe
) -> None:
    poor, rich = new_api_key(), new_api_key()
    put_key(database, poor, site)
    put_key(database, rich, site, scopes=["ingest", "import"])
    events = [
        {"site": "example.com", "url": "https://example.com/", "ts": (NOON - ago) // 1_000}
        for ago in (0, 40 * DAY)
    ]
    array = msgspec.json.encode(events)
    envelopes = [
        msgspec.structs.replace(envelope(key=key, body=array), taken=[0, 1]) for key in (poor, rich)
    ]
    placed = [envelopes[0], envelopes[1]]
    edge = FakeEdge()
    pipe.put(edge.entry([placed[0]]))
    assert reasons(database) == [(1, "out_of_range")]
    assert len(standing(database)) == 1
    pipe.put(edge.entry([placed[1]]))
    assert len(standing(database)) == 3


def test_a_keyed_event_with_id_and_ts_is_stored_once_for_ever(
    database: str, site: int, pipe: Pipe
) -> None:
    key = new_api_key()
    put_key(database, key, site, scopes=["import"])
    same = client_id(1)
    sent = envelope(key=key, id=same, ts=NOON // 1_000 - 5)
    edge = FakeEdge()
    [first] = pipe.put(edge.entry([sent]), edge.entry([sent]))
    [second] = pipe.put(edge.entry([msgspec.structs.replace(sent, received_at=NOON + DAY)]))
    assert (first.stored, first.duplicate) == (1, 1)
    assert (second.stored, second.duplicate) == (0, 1)
    [(event_id,)] = standing(database)
    assert event_id.int == receipt.derived("example.com", same)


def test_settings_are_read_as_of_receipt(database: str, site: int, pipe: Pipe) -> None:
    put_setting(database, site, "allow_user_id", True, NOON)
    early = envelope(user_id="u1", title="early", received_at=NOON - 1)
    late = envelope(user_id="u2", title="late")
    pipe.put(FakeEdge().entry([late, early]))
    assert standing(database, "title, user_id") == [("early", None), ("late", "u2")]


def test_a_setting_changed_between_two_reads_holds_for_the_second(
    database: str, site: int, pipe: Pipe
) -> None:
    pipe.put(FakeEdge().entry([envelope(url="https://example.com/?id=1")]))
    put_setting(database, site, "query_params", ["id"], NOON + 1)
    later = envelope(url="https://example.com/?id=1", received_at=NOON + 1)
    pipe.put(FakeEdge().entry([later]))
    assert standing(database, "page") == [("/",), ("/?id=1",)]


def test_an_excluded_network_leaves_a_count_only(database: str, site: int, pipe: Pipe) -> None:
    put_setting(database, site, "excluded", ["203.0.113.0/24"], 0)
    [outcome] = pipe.put(FakeEdge().entry([envelope(), envelope(ip="198.51.100.1")]))
    assert (outcome.stored, outcome.dropped) == (1, 1)
    pipe.put(FakeEdge().entry([envelope()]))
    assert rows(database, "select reason, events from dropped") == [("excluded", 2)]


def test_a_day_belongs_to_the_sites_zone_dst_included(database: str, pipe: Pipe) -> None:
    put_site(database, "berlin.example", time_zone="Europe/Berlin")
    pipe.now = us(datetime.fromisoformat("2026-10-26T12:00:00Z"))
    for text in ("2026-10-24T22:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T22:59:59Z"):
        moment = us(datetime.fromisoformat(text))
        pipe.put(FakeEdge().entry([envelope(site="berlin.example", received_at=moment)]))
    found = standing(database, "day::text, hour")
    assert found == [("2026-10-25", 0), ("2026-10-25", 2), ("2026-10-25", 23)]
    assert rows(database, "select ends_at - starts_at = interval '25 hours' from site_day") == [
        (True,)
    ]


def test_a_day_that_stands_wins_over_what_would_be_reckoned(
    database: str, site: int, pipe: Pipe
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "insert into site_day (site_id, day, starts_at, ends_at) values"
            " (%s, '2026-06-09', '2026-06-09T00:00Z', '2026-06-10T15:00Z')",
            (site,),
        )
    pipe.put(FakeEdge().entry([envelope(), envelope(received_at=NOON + 4 * HOUR)]))
    assert standing(database, "day::text") == [("2026-06-09",), ("2026-06-10",)]


def test_a_visitor_is_one_within_a_day_and_another_on_the_next(database: str, pipe: Pipe) -> None:
    moments = (NOON, NOON + HOUR, NOON + DAY)
    pipe.put(FakeEdge().entry([envelope(received_at=moment) for moment in moments]))
    first, second, third = (visitor for (visitor,) in standing(database, "visitor"))
    assert first == second != third
    assert rows(database, "select day::text, kind from salt order by day") == [
        ("2026-06-10", "live"),
        ("2026-06-11", "live"),
    ]


def test_two_writers_use_one_salt(database: str, site: int, pipe: Pipe) -> None:
    other = Pipe(database)
    pipe.put(FakeEdge().entry([envelope()]))
    other.put(FakeEdge().entry([envelope()]))
    other.close()
    assert rows(database, "select count(distinct visitor), count(*) from events") == [(1, 2)]


def test_two_writers_that_look_for_a_salt_at_once_use_one(
    database: str, site: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one has found none yet when the other writes its own down."""
    today = Day((NOON - DAY // 2) // DAY, NOON - DAY // 2, NOON + DAY // 2)
    made = bytes(SALT_BYTES)
    with (
        psycopg.connect(database, autocommit=True) as ours,
        psycopg.connect(database, autocommit=True) as theirs,
    ):

        def make(size: int) -> bytes:
            monkeypatch.setattr("writer.known.salts.token_bytes", lambda size: made)
            SaltBook(lambda: NOON).settle(theirs, [(site, today)])
            return bytes([1]) * size

        monkeypatch.setattr("writer.known.salts.token_bytes", make)
        assert list(SaltBook(lambda: NOON).settle(ours, [(site, today)]).values()) == [made]
    assert rows(database, "select generation, kind from salt") == [(1, "live")]


def test_an_imported_day_has_a_salt_of_its_own_kind(database: str, site: int, pipe: Pipe) -> None:
    key = new_api_key()
    put_key(database, key, site, scopes=["import"])
    long_ago = (NOON - 30 * DAY) // 1_000
    body = {"site": "example.com", "url": "https://example.com/", "ts": long_ago}
    raw = msgspec.json.encode({**body, "ip": "198.51.100.1"})
    pipe.put(FakeEdge().entry([envelope(key=key, body=raw)]))
    assert rows(database, "select kind from salt") == [("import",)]


def test_a_sealed_body_that_unpacks_to_gigabytes_is_set_aside(database: str, pipe: Pipe) -> None:
    edge = FakeEdge()
    sound = edge.entry([envelope()])
    compressor = zstandard.ZstdCompressor(level=3).compressobj()
    packed = b"".join(compressor.compress(bytes(16 << 20)) for _ in range(128))
    packed += compressor.flush()
    _, public = read_public_key(public_seal_key(SEAL_KEY))
    bomb = {**sound.fields, b"seq": b"2", b"body": SealedBox(public).encrypt(packed)}
    [outcome] = pipe.put(Entry("e1", b"0-1", bomb), sound)
    assert outcome.quarantined == {"unpacks_too_large": 1}
    assert outcome.stored == 1


def test_an_entry_in_another_edges_stream_is_set_aside(database: str, pipe: Pipe) -> None:
    entry = FakeEdge("e1").entry([envelope()])
    [outcome] = pipe.put(Entry("e2", b"0-1", entry.fields))
    assert outcome.quarantined == {"header_mismatch": 1}


def test_a_poison_event_in_a_thousand_is_set_aside_alone_and_delays_no_neighbour(
    database: str, pipe: Pipe
) -> None:
    def fail_on_poison(drafts: Sequence[Draft]) -> None:
        if any(event.beacon.title == "poison" for event in drafts):
            raise RuntimeError

    pipe.preparer.pipeline = (Step("failing", fail_on_poison), *pipe.preparer.pipeline)
    titles = ["poison" if number == 440 else str(number) for number in range(1_000)]
    [outcome] = pipe.put(FakeEdge().entry([envelope(title=title) for title in titles]))
    assert outcome.stored == 999
    assert sorted(standing(database, "title")) == sorted(
        (title,) for title in titles if title != "poison"
    )
    assert reasons(database) == [(440, "enrichment_failed")]
