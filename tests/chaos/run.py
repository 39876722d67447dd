"""One run: a load, faults by the plan, then the account and the comparison of all answers."""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psycopg

from api.database import open_transaction
from api.keys import put_key
from api.sites import put_site
from edge.spool.first_waiting import HELD, journal_key
from infrastructure.local.installation import EDGE
from infrastructure.local.redis_server import RedisServer
from infrastructure.problem import Problem
from shared.snapshot import SCOPES
from shared.stream_state import read_entry_id
from tests.chaos.account import Account, draw_up
from tests.chaos.answers import ask, differing
from tests.chaos.background import Background
from tests.chaos.faults import Faults
from tests.chaos.load import AGENTS, BROWSED, SERVED, SPAN_MS, Event, Load, Log
from tests.chaos.plan import Fault, planned_faults
from tests.chaos.stand import Say, Stand, disturbed_stand, undisturbed_stand
from writer.ledger.equation import read_edge

_LOOK_EVERY_S = 0.1
_SETTLE_WITHIN_S = 300.0
_MOST_IN_AN_ARRAY = 100
_BALANCE_WITHIN_S = 180.0
STREAM = f"ingest:{EDGE}"


class Verdict(NamedTuple):
    """``differing``: questions answered otherwise than by an undisturbed stand. ``surprises``:
    services that ended without having been killed. ``missing``: what the product's own ledger
    cannot account for, and boots that stay open."""

    account: Account
    missing: list[str]
    differing: list[str]
    questions: int
    surprises: list[str]

    @property
    def is_clean(self) -> bool:
        """Nothing to be ashamed of."""
        wrong = self.missing or self.differing or self.surprises
        return self.account.is_clean and not wrong


def run_chaos(
    seed: int, seconds: float, folder: Path, say: Say, *, journal: bool = False
) -> Verdict:
    """Everything, from the start of the servers on. Raises Refused, AssertionError."""
    from_ms = time.time_ns() // 1_000_000 - SPAN_MS - 1_800_000
    with (
        Background() as background,
        disturbed_stand(folder / "chaos", background, seed, say, journal=journal) as stand,
    ):
        key = settle_in(stand)
        with loaded(stand, background, key, seed, from_ms) as log:
            surprises = _disturb(stand, background, seed, seconds, say)
        say("the faults are over; waiting until everything has arrived")
        until_arrived(stand)
        account = draw_up(stand.product.postgres_url, log)
        say(account.line)
        missing = until_balanced(stand) + until_closed(stand)
        say(f"answers by status: {dict(sorted(log.statuses.items()))}")
        answers = ask(stand.product.api_url, key, from_ms)
    say("the same keyed traffic, undisturbed")
    others = _undisturbed_answers(folder / "calm", log, from_ms)
    return Verdict(account, missing, differing(answers, others), len(answers), surprises)


def settle_in(stand: Stand) -> str:
    """Two sites and a key, known to the edge; returns the key."""
    key = asyncio.run(_put_sites(stand.product.postgres_url))
    until(lambda: _knows_sites(stand.product.edge_url), "the edge knows the sites")
    return key


@contextmanager
def loaded(
    stand: Stand, background: Background, key: str, seed: int, from_ms: int
) -> Iterator[Log]:
    """Load while the body runs, then until every answer that is owed has come."""
    load = Load(stand.product.edge_url, key, seed, from_ms)
    running: Future[None] = asyncio.run_coroutine_threadsafe(load.run(), background.loop)
    yield load.log
    background.loop.call_soon_threadsafe(load.stop)
    running.result(_SETTLE_WITHIN_S)


def until_arrived(stand: Stand) -> None:
    """Until spool and stream are empty; a journal keeps what it has, and knows it to be stored."""
    is_over = holds_nothing_back if stand.journal else (lambda spool: not length(spool))
    until(
        lambda: is_over(stand.spool) and not length(stand.primary),
        "spool and stream are empty, or held",
        _SETTLE_WITHIN_S,
    )
    until(lambda: is_rolled_up(stand), "the rollups hold what is stored", _SETTLE_WITHIN_S)


def is_rolled_up(stand: Stand) -> bool:
    """Whether answers hold all that is stored: they may be some seconds behind."""
    with psycopg.connect(stand.product.postgres_url) as connection:
        found = connection.execute(
            "select commit_no >= (select max(commit_no) from commits) from rollup_progress"
        )
        return found.fetchone() == (True,)


def holds_nothing_back(spool: RedisServer) -> bool:
    """Whether the database has everything in a spool that is a journal."""
    with spool.client() as client:
        held: Any = client.hget(journal_key(EDGE), HELD)
        newest: Any = client.xrevrange(STREAM, count=1)
    is_noted = held is not None
    return is_noted and (not newest or read_entry_id(held) > read_entry_id(newest[0][0]))


def until_balanced(stand: Stand) -> list[str]:
    """What the ledger misses once the last heartbeats are in; it is given a while for that."""
    deadline = time.monotonic() + _BALANCE_WITHIN_S
    while (missing := _missing(stand)) and time.monotonic() < deadline:
        time.sleep(1.0)
    return missing


def until_closed(stand: Stand) -> list[str]:
    """Boots of dead workers that the drain has not closed, so that no day could become final."""
    deadline = time.monotonic() + _BALANCE_WITHIN_S
    while (unclosed := _unclosed(stand)) and time.monotonic() < deadline:
        time.sleep(1.0)
    return unclosed


def length(redis: RedisServer) -> int:
    """Batches in its stream."""
    with redis.client() as client:
        return int(client.xlen(STREAM))


def until(condition: Callable[[], bool], what: str, within_s: float = 180.0) -> None:
    """Look again and again. Raises AssertionError."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
        time.sleep(_LOOK_EVERY_S)


def _disturb(
    stand: Stand, background: Background, seed: int, seconds: float, say: Say
) -> list[str]:
    """Every fault in its time; returns what ended by itself, which is started again."""
    faults = Faults(stand, background, seed)
    began = time.monotonic()
    surprises: list[str] = []
    for at_s, fault, begins in _moments(planned_faults(seed, seconds, journal=stand.journal)):
        while (left_s := began + at_s - time.monotonic()) > 0:
            time.sleep(min(left_s, _LOOK_EVERY_S))
            surprises += _start_ended(stand, faults)
        if begins:
            say(str(fault))
            faults.begin(fault)
        else:
            faults.end(fault)
    while time.monotonic() < began + seconds or faults.excuse_anything:
        surprises += _start_ended(stand, faults)
        time.sleep(_LOOK_EVERY_S)
    for service in stand.product.services:
        service.wait_until_ready()
    return surprises


def _moments(faults: list[Fault]) -> list[tuple[float, Fault, bool]]:
    begins = [(fault.at_s, fault, True) for fault in faults]
    ends = [(fault.at_s + fault.lasts_s, fault, False) for fault in faults]
    return sorted(begins + ends, key=lambda moment: moment[0])


def _start_ended(stand: Stand, faults: Faults) -> list[str]:
    """As a supervisor does; returns what ended without a reason."""
    ended = [
        service
        for service in stand.product.services
        if service.name not in faults.away and not service.running
    ]
    for service in ended:
        service.start()
    surprises = [f"{service.name}: {service.log_end(3)}" for service in ended]
    return surprises + _start_ended_servers(stand, faults)


def _start_ended_servers(stand: Stand, faults: Faults) -> list[str]:
    surprises = []
    for name, server in stand.servers.items():
        if name in faults.away or server.running:
            continue
        if not faults.excuses(name):
            surprises.append(f"{name}: see its log")
        with suppress(Problem, OSError):
            server.start()
    return surprises


def _undisturbed_answers(folder: Path, log: Log, from_ms: int) -> dict[str, bytes]:
    with undisturbed_stand(folder) as stand:
        key = settle_in(stand)
        with httpx.Client(timeout=60, trust_env=False) as client:
            events = [log.served[event_id] for event_id in sorted(log.served)]
            for at in range(0, len(events), _MOST_IN_AN_ARRAY):
                _send(client, stand, key, events[at : at + _MOST_IN_AN_ARRAY])
        until_arrived(stand)
        return ask(stand.product.api_url, key, from_ms)


def _send(client: httpx.Client, stand: Stand, key: str, events: list[Event]) -> None:
    headers = {"authorization": f"Bearer {key}"}
    while True:
        answer = client.post(f"{stand.product.edge_url}/track", json=events, headers=headers)
        if answer.status_code == 202:
            return
        assert answer.status_code in (429, 503), answer.text
        time.sleep(float(answer.headers["retry-after"]))


def _missing(stand: Stand) -> list[str]:
    url = stand.product.postgres_url
    with psycopg.connect(url, autocommit=True) as db, stand.primary.client() as redis:
        return [str(missing) for missing in read_edge(db, redis, EDGE).missing]


def _unclosed(stand: Stand) -> list[str]:
    with psycopg.connect(stand.product.postgres_url) as db:
        found = db.execute(
            "select boot from boot where not ended and last_heard < now() - interval '10 s'"
        )
        return [f"boot {boot:012x} was never closed" for (boot,) in found]


async def _put_sites(postgres_url: str) -> str:
    async with open_transaction(postgres_url) as db:
        for site in (BROWSED, SERVED):
            await put_site(db, site, {}, datetime.now(UTC))
        _, key = await put_key(db, (SCOPES.INGEST, SCOPES.QUERY), None, "chaos")
    return key


def _knows_sites(edge_url: str) -> bool:
    # Without a snapshot an edge takes every site. A foreign origin stores nothing.
    return all(
        _refusal(edge_url, site) == code
        for site, code in (
            ("stranger.example", "unknown_site"),
            (BROWSED, "forbidden_origin"),
            (SERVED, "forbidden_origin"),
        )
    )


def _refusal(edge_url: str, site: str) -> str:
    event = {"site": site, "url": f"https://{site}/"}
    headers = {"origin": "https://elsewhere.example", "user-agent": AGENTS[0]}
    url = f"{edge_url}/track"
    answer = httpx.post(url, json=event, headers=headers, timeout=60, trust_env=False)
    return "" if answer.status_code == 202 else str(answer.json()["error"]["code"])
