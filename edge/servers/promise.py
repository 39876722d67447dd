"""Whether a Redis keeps what it confirms: asked at every connect, and once a second after.

A server that fsyncs once a second, or evicts when it is full, confirms a write and loses it all
the same. Where nobody may read its configuration, each write is proven by WAITAOF instead.
"""

import asyncio
import logging
from collections.abc import Mapping
from enum import IntFlag
from typing import Any, NamedTuple

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, ResponseError

from edge.servers.link import ErrorReply, Link, pack
from edge.servers.proof_times import ProofTimes
from shared.metrics import EDGE_WEAK_PROMISE

_log = logging.getLogger("edge")
_OPTIONS = (b"appendfsync", b"maxmemory-policy", b"no-appendfsync-on-rewrite")
_PERSISTENCE = pack(b"INFO", b"persistence")
_MEMORY = pack(b"INFO", b"memory")
_CONFIG = pack(b"CONFIG", b"GET", *_OPTIONS)
_FORBIDDEN = ("NOPERM", "ERR")
"""Errors that speak of the command; any other speaks of the server."""


class Weakness(IntFlag):
    """What makes a promise weaker; the numbers stand in boot files."""

    NO_FILE = 1
    EVERY_SECOND = 2
    NEVER = 4
    NOT_WHILE_REWRITING = 8
    EVICTS = 16
    NOT_WRITTEN = 32
    UNKNOWN = 64
    NOT_PROVEN = 128
    SLOW = 256


_NAMES = {
    Weakness.NO_FILE: ("appendonly no", "CONFIG SET appendonly yes"),
    Weakness.EVERY_SECOND: ("appendfsync everysec", "CONFIG SET appendfsync always"),
    Weakness.NEVER: ("appendfsync no", "CONFIG SET appendfsync always"),
    Weakness.NOT_WHILE_REWRITING: (
        "no-appendfsync-on-rewrite yes",
        "CONFIG SET no-appendfsync-on-rewrite no",
    ),
    Weakness.EVICTS: ("maxmemory-policy evicts", "CONFIG SET maxmemory-policy noeviction"),
    Weakness.NOT_WRITTEN: ("last write to the file failed", "look at its disk and its log"),
    Weakness.UNKNOWN: ("INFO forbidden", "allow INFO in the ACL"),
    Weakness.NOT_PROVEN: (
        "no fsync proven",
        "wait until the first rewrite of its file has ended (its log says where that fails);"
        " allow SET probe:* and WAITAOF in the ACL",
    ),
    Weakness.SLOW: ("fsync is slow: everysec?", "CONFIG SET appendfsync always"),
}


class Promise(NamedTuple):
    """``by_proof``: the configuration is not to be read, so each write needs its WAITAOF.
    ``in_doubt``: the file may be in the making, so that nothing would be found in it."""

    weak: Weakness
    by_proof: bool = False
    in_doubt: bool = False


class WeakPromise(Exception):
    """The server takes writes and may lose them; strict mode does not use it."""


def names(weak: Weakness) -> list[str]:
    """Each weakness as the operator's configuration has it."""
    return [name for flag, (name, _) in _NAMES.items() if flag in weak]


def remedy(name: str) -> str:
    """What to do about a weakness that ``names`` has named; empty for any other text."""
    return next((remedy for known, remedy in _NAMES.values() if known == name), "")


def judge(info: Mapping[str, str] | None, config: Mapping[str, str] | None) -> Promise:
    """From INFO (persistence, and memory where ``config`` is not given) and CONFIG GET; None:
    forbidden. Raises ErrorReply for a server that is loading."""
    if info is None:
        return Promise(Weakness.UNKNOWN, by_proof=config is None)
    if info.get("loading", "0") != "0":
        raise ErrorReply("LOADING")
    weak = Weakness(0)
    if info.get("aof_enabled") != "1":
        weak |= Weakness.NO_FILE
    elif info.get("aof_last_write_status", "ok") != "ok":
        weak |= Weakness.NOT_WRITTEN
    if config is None:
        return Promise(weak | _evicting(info.get("maxmemory_policy")), by_proof=True)
    if not weak & Weakness.NO_FILE:
        weak |= _fsyncing(config)
    weak |= _evicting(config.get("maxmemory-policy"))
    return Promise(weak, in_doubt=not weak and _is_rewriting(info))


def _is_rewriting(info: Mapping[str, str]) -> bool:
    # aof_enabled is 1 from CONFIG SET on. Until the first rewrite has ended, what is written lies
    # in a file that no restart reads.
    return (
        info.get("aof_rewrite_in_progress", "0") != "0"
        or info.get("aof_rewrite_scheduled", "0") != "0"
        or info.get("aof_last_bgrewrite_status", "ok") != "ok"
    )


def _fsyncing(config: Mapping[str, str]) -> Weakness:
    known = {"always": Weakness(0), "everysec": Weakness.EVERY_SECOND}
    weak = known.get(config.get("appendfsync", ""), Weakness.NEVER)
    if config.get("no-appendfsync-on-rewrite") == "yes":
        weak |= Weakness.NOT_WHILE_REWRITING
    return weak


def _evicting(policy: str | None) -> Weakness:
    if policy is None:
        return Weakness.UNKNOWN
    return Weakness(0) if policy == "noeviction" else Weakness.EVICTS


async def read_promise(link: Link) -> Promise:
    """Asked on the connection whose writes it is about. Raises LinkLost or ErrorReply."""
    info, config = [_unless_forbidden(reply) for reply in await _ask(link, _PERSISTENCE, _CONFIG)]
    if config:
        pairs = [bytes(part).decode("utf-8", "replace") for part in config]
        options = dict(zip(pairs[::2], pairs[1::2], strict=False))
        return judge(_fields(info), options)
    (memory,) = [_unless_forbidden(reply) for reply in await _ask(link, _MEMORY)]
    return judge(_fields(info, memory), None)


async def _ask(link: Link, *commands: bytes) -> list[Any]:
    return await asyncio.gather(*link.send_all(commands), return_exceptions=True)


def _unless_forbidden(reply: Any) -> Any:
    if isinstance(reply, ErrorReply) and str(reply) in _FORBIDDEN:
        return None
    if isinstance(reply, BaseException):
        raise reply
    return reply


def _fields(*sections: bytes | None) -> dict[str, str] | None:
    told = [section for section in sections if section is not None]
    lines = b"\r\n".join(told).decode("utf-8", "replace").splitlines()
    parts = [line.partition(":") for line in lines if ":" in line]
    return {name: value for name, _, value in parts} if told else None


async def ask_promise(redis: Redis) -> Promise:
    """The same over a client. Raises RedisError, OSError or ErrorReply."""
    info = await _info(redis, "persistence")
    try:
        config: Any = await redis.config_get(*[option.decode() for option in _OPTIONS])
    except (NoPermissionError, ResponseError):
        config = {}
    if config:
        return judge(info, {_text(name): _text(value) for name, value in config.items()})
    memory = await _info(redis, "memory")
    return judge(None if info is None else {**info, **(memory or {})}, None)


async def _info(redis: Redis, section: str) -> dict[str, str] | None:
    try:
        found: Any = await redis.info(section)
    except NoPermissionError:
        return None
    return {_text(name): _text(value) for name, value in found.items()}


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


class PromiseWatch:
    """What one server (``primary`` or ``spool``) promises, told to the log and the metrics."""

    def __init__(self, server: str, strict: bool) -> None:
        self._server = server
        self._strict = strict
        self.weak = Weakness(0)
        self.by_proof = False
        self._proofs = ProofTimes()
        self._show()

    @property
    def is_used(self) -> bool:
        """Whether batches may go there, as far as its promise goes."""
        return not (self._strict and self.weak & ~Weakness.SLOW)

    def learn(self, promise: Promise) -> None:
        """What was found now. Raises WeakPromise in strict mode."""
        if promise.by_proof and self._proofs.is_slow:
            promise = promise._replace(weak=promise.weak | Weakness.SLOW)
        if promise[:2] != (self.weak, self.by_proof):
            self._tell(promise)
        self.weak, self.by_proof = promise[:2]
        self._show()
        if not self.is_used:
            raise WeakPromise(", ".join(names(self.weak)))

    def proved(self, seconds: float) -> None:
        """A write and its WAITAOF took so long."""
        self._proofs.add(seconds)

    def _tell(self, promise: Promise) -> None:
        if promise.by_proof and not self.by_proof:
            _log.info("the %s forbids CONFIG GET: WAITAOF proves each write", self._server)
        weak = promise.weak
        if not weak:
            _log.info("the %s fsyncs what it confirms", self._server)
        elif not weak & ~Weakness.SLOW:
            name, remedy = _NAMES[Weakness.SLOW]
            _log.warning("the %s answers late (%s); remedy: %s", self._server, name, remedy)
        elif weak != self.weak:
            _log.error(
                "the %s may lose what it confirms (%s): %s; remedy: %s",
                self._server,
                ", ".join(names(weak)),
                "it is not used" if self._strict else "used all the same, strict mode is off",
                "; ".join(remedy for flag, (_, remedy) in _NAMES.items() if flag in weak),
            )

    def _show(self) -> None:
        for flag, (name, _) in _NAMES.items():
            EDGE_WEAK_PROMISE.labels(server=self._server, what=name).set(flag in self.weak)
