"""Whatever a stranger sends is answered, and what is taken the writer reads as the edge did."""

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from edge.http.answers import Answer, render
from edge.http.collect import Taken
from edge.worker import Worker
from shared import beacon
from shared.beacon_reader import reread
from shared.errors import Refusal
from tests.edge_under_test import SITE, edge_settings, signed, snapshot

FOLDER = tempfile.TemporaryDirectory()
NOWHERE = "redis://127.0.0.1:1/0"


def _worker() -> Worker:
    settings = edge_settings(
        NOWHERE,
        NOWHERE,
        Path(FOLDER.name),
        edge_address_events_per_s=10**9,
        edge_total_events_per_s=10**9,
    )
    worker = Worker(settings)
    worker.snapshots.offer(
        signed(snapshot(per_address_events_per_s=10**9, total_events_per_s=10**9))
    )
    return worker


WORKER = _worker()

texts = st.text(max_size=20)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)
names = st.sampled_from(beacon.Beacon.__struct_fields__) | texts
sound = st.fixed_dictionaries(
    {"site": st.just(SITE), "url": st.just("https://shop.example/")},
    optional={
        "title": texts,
        "props": st.dictionaries(texts, scalars, max_size=3),
        "age_ms": st.integers(0, 86_400_000),
        "width": st.integers(-5, 100_005),
        "extra": values,
    },
)
events = sound | st.dictionaries(names, values, max_size=6) | values
bodies = (
    st.binary(max_size=200)
    | events.map(lambda event: json.dumps(event).encode())
    | st.lists(events, max_size=5).map(lambda array: json.dumps(array).encode())
)
headers = st.dictionaries(
    st.sampled_from(
        [
            b"origin",
            b"dnt",
            b"user-agent",
            b"referer",
            b"accept-language",
            b"authorization",
            b"x-forwarded-for",
            b"sec-purpose",
        ]
    ),
    st.binary(max_size=40),
    max_size=3,
)


def _outcome(given_headers: dict[bytes, bytes], body: bytes) -> Taken | Answer:
    raw = [(b"content-type", b"text/plain"), *given_headers.items()]
    try:
        caller = WORKER.intake.admit("192.0.2.7", raw)
        return WORKER.intake.judge(caller, body, lambda _: None)
    except Refusal as refusal:
        return WORKER.intake.refused(refusal)


@given(headers, bodies)
def test_every_body_is_taken_or_refused_with_a_reason(
    given_headers: dict[bytes, bytes], body: bytes
) -> None:
    outcome = _outcome(given_headers, body)
    if isinstance(outcome, Taken):
        outcome = WORKER.intake.finish(outcome, 1)
    assert outcome.status == 202 or 400 <= outcome.status < 500
    json.loads(outcome.body)
    head = render(outcome, None, keep_alive=True).partition(b"\r\n\r\n")[0]
    assert all(line.count(b": ") == 1 for line in head.split(b"\r\n")[1:])


@given(bodies)
def test_the_writer_reads_the_same_events_as_the_edge(body: bytes) -> None:
    outcome: Any = _outcome({}, body)
    if not isinstance(outcome, Taken):
        return
    envelope = WORKER.batcher.batch_for(0, 0).envelopes[-1]
    caller = beacon.Caller(envelope.received_at)
    again = reread(envelope.body, envelope.taken, caller)
    assert repr(again) == repr(outcome.reading.beacons)
