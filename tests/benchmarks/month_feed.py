"""Beacons sealed as an edge seals them, put straight onto the primary's stream."""

import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

import msgspec
from redis import Redis

from shared.batch import VERSION, Header, seal
from shared.clock import system_clock
from shared.envelope import PROTOCOL, Envelope, Headers
from shared.heartbeat import BootBeat, redis_key
from shared.keys import public_seal_key, read_public_key
from tests.benchmarks.month_traffic import Captured
from writer.stream import stream_key

A_BATCH = 200
_AT_ONCE = 20
_MOST_WAITING = 1_500
_LOOK_EVERY_S = 0.02


class Feed:
    """One boot of one edge."""

    def __init__(self, redis: Redis, edge: str, seal_key: str) -> None:
        self.redis = redis
        self.stream = stream_key(edge)
        self._edge = edge
        self._key_id, self._public = read_public_key(public_seal_key(seal_key))
        self._boot = secrets.randbits(48)
        self._seq = 0

    def send(self, beacons: Iterable[Captured]) -> int:
        """All of them, as fast as the writer takes them; how many that were."""
        sent = 0
        batches = self.sealed(beacons)
        while some := list(islice(batches, _AT_ONCE)):
            self.put(fields for _, fields in some)
            sent += sum(n for n, _ in some)
            while self.redis.xlen(self.stream) > _MOST_WAITING:
                time.sleep(_LOOK_EVERY_S)
        return sent

    def put(self, entries: Iterable[dict[Any, Any]]) -> None:
        """Onto the stream, in one round trip."""
        with self.redis.pipeline(transaction=False) as pipe:
            for fields in entries:
                pipe.xadd(self.stream, fields)
            pipe.execute()

    def sealed(
        self, beacons: Iterable[Captured], a_batch: int = A_BATCH
    ) -> Iterator[tuple[int, dict[Any, Any]]]:
        """Batches: how many events are in it, and the fields of its entry."""
        rest = iter(beacons)
        while some := list(islice(rest, a_batch)):
            yield len(some), self._seal(some)

    def wait_until_stored(self, within_s: float) -> None:
        """Until nothing is left in the stream."""
        deadline = time.monotonic() + within_s
        while self.redis.xlen(self.stream):
            if time.monotonic() > deadline:
                raise RuntimeError("the writer did not store what was sent")
            time.sleep(_LOOK_EVERY_S)

    def tell(self, *, ended: bool) -> None:
        """A heartbeat: nothing received until now is still to come."""
        now = system_clock()
        beat = BootBeat(now, self._seq, now, self._seq, ended=ended, counted_to=self._seq)
        name = f"{self._boot:012x}"
        self.redis.hset(redis_key(self._edge), name, msgspec.msgpack.encode(beat))

    def _seal(self, beacons: Sequence[Captured]) -> dict[Any, Any]:
        self._seq += 1
        header = Header(
            VERSION, self._key_id, self._edge, self._boot, self._seq, len(beacons), self._seq - 1
        )
        envelopes = [_envelope(beacon, place) for place, beacon in enumerate(beacons)]
        return dict(seal(header, envelopes, self._public))


def _envelope(beacon: Captured, place: int) -> Envelope:
    received_at, site, ip, agent, language, body = beacon
    headers = _headers(agent, language)
    return Envelope(received_at, PROTOCOL, site, ip, None, False, headers, place, None, body)


@lru_cache(10_000)
def _headers(agent: str, language: str) -> Headers:
    return Headers(agent, language)
