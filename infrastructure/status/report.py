"""Everything a status shows, asked for side by side, so that what hangs costs one wait."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from math import inf
from typing import Any

import msgspec

from infrastructure.manifest import Manifest, ServiceEntry
from infrastructure.problem import Problem
from infrastructure.status.asking import DOWN, Metrics, Told, address_of, ask_process, ask_redis
from infrastructure.status.core import Core
from infrastructure.status.place import Place

_SILENT_AFTER_S = 5.0


class ServiceState(msgspec.Struct, frozen=True):
    """``address``: where it serves, if that is for the public; ``ops``: health and metrics."""

    name: str
    role: str
    state: str
    address: str
    ops: str
    readiness: dict[str, Any]


class ServerState(msgspec.Struct, frozen=True):
    """``trouble`` is empty where the server answers."""

    name: str
    address: str
    trouble: str


class SpoolState(msgspec.Struct, frozen=True):
    """What waits on this host. ``headroom_s``: None while nothing waits, or it does not grow."""

    batches: int
    bytes: int
    oldest_at: datetime | None
    headroom_bytes: int
    headroom_s: float | None


class Seen(msgspec.Struct, frozen=True):
    """Of the beacons that the edge looked at lately, how many came from where."""

    all: int
    told: int
    loopback: int
    private: int
    one_address: int
    headers: dict[str, int]


class Report(msgspec.Struct, frozen=True):
    """``lag``: entries by edge that no writer has committed; None where no writer answers here.
    ``rollups_behind_s``: the age of the first commit that the rollups do not hold."""

    where: str
    services: list[ServiceState]
    servers: list[ServerState]
    spool: SpoolState | None
    seen: Seen | None
    lag: dict[str, int] | None
    core: Core | None
    rollups_behind_s: float | None = None


def read_report(place: Place, manifest: Manifest) -> Report:
    """Takes a few seconds at most."""
    urls = place.server_urls
    with ThreadPoolExecutor(len(manifest.services) + len(urls)) as pool:
        told = {
            entry.name: pool.submit(_ask, place, manifest, entry) for entry in manifest.services
        }
        redis = {
            name: pool.submit(ask_redis, url) for name, url in urls.items() if name != "database"
        }
        database = pool.submit(_ask_database, place) if "database" in urls else None
    answers = {name: future.result() for name, future in told.items()}
    core, trouble = database.result() if database else (None, "")
    troubles = {name: future.result() for name, future in redis.items()}
    if database:
        troubles["database"] = trouble
    return _report(place, manifest, answers, troubles, core)


def _ask(place: Place, manifest: Manifest, entry: ServiceEntry) -> Told:
    port = place.port(entry.ops.setting, entry.ops.number)
    return ask_process(place.ops_host, port, manifest.health)


def _ask_database(place: Place) -> tuple[Core | None, str]:
    # Late: an edge installs without a driver for the database, and has no URL of one either.
    from infrastructure.status.core_reading import read_core

    silent_after_s = place.number("silent_after_s", _SILENT_AFTER_S)
    try:
        return read_core(place.server_urls["database"], silent_after_s), ""
    except Problem as problem:
        return None, str(problem)


def _report(
    place: Place,
    manifest: Manifest,
    answers: dict[str, Told],
    troubles: dict[str, str],
    core: Core | None,
) -> Report:
    here = {entry.role for entry in manifest.services if answers[entry.name].state != DOWN}
    services = [
        _service(place, entry, answers[entry.name])
        for entry in manifest.services
        if place.expects(entry) or entry.role in here
    ]
    return Report(
        where=place.name,
        services=services,
        servers=[
            ServerState(name, address_of(url), troubles[name])
            for name, url in place.server_urls.items()
        ],
        spool=_spool(answers["drain"].metrics),
        seen=_seen(answers["edge"].metrics),
        lag=_lag(answers["writer"]),
        core=core,
        rollups_behind_s=answers["writer"].metrics.value("millrace_rollup_behind_seconds"),
    )


def _service(place: Place, entry: ServiceEntry, told: Told) -> ServiceState:
    host, ops = place.ops_host, place.port(entry.ops.setting, entry.ops.number)
    public = entry.port and f"{host}:{place.port(entry.port.setting, entry.port.number)}"
    return ServiceState(
        entry.name, entry.role, told.state, public or "", f"{host}:{ops}", told.readiness
    )


def _spool(metrics: Metrics) -> SpoolState | None:
    batches = metrics.value("millrace_spool_batches")
    if batches is None:
        return None
    seconds = metrics.value("millrace_spool_headroom_seconds")
    oldest = metrics.value("millrace_spool_oldest_timestamp_seconds")
    return SpoolState(
        batches=int(batches),
        bytes=int(metrics.value("millrace_spool_bytes") or 0),
        oldest_at=datetime.fromtimestamp(oldest, UTC) if oldest else None,
        headroom_bytes=int(metrics.value("millrace_spool_headroom_bytes") or 0),
        headroom_s=seconds if batches and seconds not in (None, inf) else None,
    )


def _seen(metrics: Metrics) -> Seen | None:
    beacons = metrics.by("millrace_edge_seen_beacons", "what")
    if not beacons:
        return None
    headers = metrics.by("millrace_edge_seen_headers", "header")
    counts = {what: int(beacons.get(what, 0)) for what in Seen.__struct_fields__[:-1]}
    return Seen(**counts, headers={name: int(seen) for name, seen in headers.items() if seen})


def _lag(told: Told) -> dict[str, int] | None:
    if not told.readiness:
        return None
    lag = told.metrics.by("millrace_writer_lag_entries", "edge")
    return {edge: int(entries) for edge, entries in lag.items()}
