"""From a report to what is wrong, each with what to type next. Pure."""

from collections.abc import Iterator
from typing import NamedTuple

from edge.drain.former_state import ANOTHERS, COMING_HOME, WAITING
from edge.servers.promise import Weakness, names, remedy
from infrastructure.manifest import Manifest
from infrastructure.status.asking import DOWN, HUNG, READY, UNREACHABLE
from infrastructure.status.core import EdgeSeen
from infrastructure.status.place import Place
from infrastructure.status.report import Report, Seen, ServerState, ServiceState, SpoolState

_ENOUGH_LOOKS = 20
_SHORT_S = 3_600
_LONG_LAG = 10_000
_TRUSTED = "MILLRACE_EDGE_TRUSTED_PROXIES"
_CALLED = {"jobs": "jobs worker", "realtime": "live gateway"}
_SETTINGS = {"primary": "PRIMARY_URL", "spool": "SPOOL_URL", "database": "POSTGRES_URL"}


class Finding(NamedTuple):
    """``next``: a command, or what to do. A fault makes the exit code 1, a warning does not."""

    about: str
    says: str
    next: str
    is_fault: bool = True


_NOTHING = Finding(
    "host",
    "Nothing of Millrace answers here, and no setting says whether this is an edge or the core.",
    "set in this shell what the services have (MILLRACE_…), or start one",
)


_UNSET = Finding(
    "settings",
    "This shell lacks the settings of the services, so that no server and no ledger was asked.",
    "set -a; . /etc/millrace/edge.env; set +a   (core.env on the core)",
    is_fault=False,
)


def find(report: Report, place: Place, manifest: Manifest) -> list[Finding]:
    """Causes before what follows from them."""
    commands = {entry.name: entry.command for entry in manifest.services}
    ready = {service.name for service in report.services if service.state == READY}
    return [
        *(() if report.services else (_NOTHING,)),
        *((_UNSET,) if report.services and not report.servers else ()),
        *(_server(server, place) for server in report.servers if server.trouble),
        *(
            _service(service, place, commands[service.name])
            for service in report.services
            if service.state != READY
        ),
        *_beside_readiness(report.services, place),
        *(_spool(report.spool, place) if report.spool and "drain" in ready else ()),
        *_lag(report.lag or {}, place),
        *(_core(report, place, "writer" in ready) if report.core else ()),
        *(_seen(report.seen, place) if report.seen else ()),
    ]


def _server(server: ServerState, place: Place) -> Finding:
    setting = f"MILLRACE_{_SETTINGS[server.name]}"
    if place.is_ours(server.name):
        step = place.look(server.name)
    elif server.name == "database":
        host, _, port = server.address.rpartition(":")
        step = f"pg_isready -h {host} -p {port}   (the address is that of {setting})"
    else:
        host, _, port = server.address.rpartition(":")
        step = f"redis-cli -h {host} -p {port} PING   (the address is that of {setting})"
    if server.name == "database":
        # Written by what knows PostgreSQL's errors: a whole sentence.
        return Finding(server.name, server.trouble, _migrate_or(step, server.trouble, place))
    if server.trouble == UNREACHABLE:
        step = f"{step}; where its log names its file: {_repair(server.name, place)}"
    return Finding(server.name, f"The {server.name} ({server.address}) {server.trouble}.", step)


def _repair(server: str, place: Place) -> str:
    """A Redis that finds damage in its file does not start."""
    folder = place.folder / server if place.folder and place.is_ours(server) else "FOLDER"
    return place.verb(f"spool repair {folder}")


def _migrate_or(step: str, trouble: str, place: Place) -> str:
    return place.verb("migrate") if "`migrate`" in trouble else step


def _service(service: ServiceState, place: Place, command: tuple[str, ...]) -> Finding:
    name, called = service.name, _CALLED.get(service.name, service.name)
    if service.state == DOWN:
        says = f"The {called} does not run: nothing answers on {service.ops}."
        return Finding(name, says, place.start(name, command))
    if service.state == HUNG:
        says = f"The {called} hangs: it listens on {service.ops} and does not answer."
        return Finding(name, says, place.start(name, command))
    return Finding(name, f"The {called} {_why(service)}.", place.look(name))


def _why(service: ServiceState) -> str:
    told = service.readiness
    if service.name == "edge":
        return "can store nowhere: beacons are answered with 503 and clients try again"
    if service.name == "drain":
        return "cannot use the spool"
    if told.get("primary") is False:
        return "does not reach the primary"
    if trouble := told.get("database_trouble"):
        return f"cannot store, the database says: {str(trouble).replace('_', ' ')}"
    if not told.get("database", True) or service.name == "api":
        return "does not reach the database"
    return "is not ready: it starts, or ends"


def _beside_readiness(services: list[ServiceState], place: Place) -> Iterator[Finding]:
    said = set()
    for service in services:
        for finding in _told_by(service, place):
            if finding.says not in said:
                said.add(finding.says)
                yield finding


def _told_by(service: ServiceState, place: Place) -> Iterator[Finding]:
    told = service.readiness
    if service.name == "edge" and told.get("stores_at") == "spool":
        says = "Beacons go to the spool: the primary cannot be used just now. Nothing is lost."
        yield Finding("edge", says, place.look("drain"))
    if rollups := told.get("rollups"):
        says = f"The rollups {rollups}: panels are counted from rows meanwhile, and take longer."
        yield Finding("writer", says, place.look("writer"))
    for server, weak in told.get("weaker_promises", {}).items():
        for name in weak:
            yield _weak(server, name)
    for server in ("primary", "spool"):
        for fault in told.get(f"{server}_stream", []):
            says = f"The stream of the {server} is not whole: {fault}."
            yield Finding(server, says, f"on the core: {place.verb('ledger')}")
    for name, state in told.get("former_names", {}).items():
        yield from _former(name, state, place)
    for edge, faults in told.get("streams", {}).items():
        for fault in faults:
            yield Finding("primary", f"{fault}.", place.verb(f"ledger --edge {edge}"))


def _former(name: str, state: str, place: Place) -> Iterator[Finding]:
    """What is not simply on its way home."""
    if state == ANOTHERS:
        says = f"Edge {name} has its spool or state folder in common with this one, and a drain."
        step = (
            "give each edge a spool (MILLRACE_SPOOL_URL) and a MILLRACE_EDGE_STATE_DIR of its own"
        )
        yield Finding("spool", says, step)
    elif state not in (COMING_HOME, WAITING):
        says = f"What is left of {name}, a name that this edge had, stays in the spool: {state}."
        yield Finding("spool", says, place.look("drain"))


def _weak(server: str, name: str) -> Finding:
    step = remedy(name) or _sql_remedy(name)
    if name in names(Weakness.SLOW):
        says = f"The {server} proves each write, and takes long for it ({name})."
        return Finding(server, says, step, is_fault=False)
    return Finding(server, f"The {server} promises less than an fsync of each write: {name}.", step)


def _sql_remedy(name: str) -> str:
    return f"ALTER SYSTEM SET {name.split(' ')[0]} = on; SELECT pg_reload_conf()"


def _spool(spool: SpoolState, place: Place) -> Iterator[Finding]:
    larger = f"free some of its disk, or raise MILLRACE_SPOOL_MAX_BYTES; {place.look('drain')}"
    if spool.headroom_bytes == 0:
        says = "The spool is full: beacons are answered with 503 and clients try again."
        yield Finding("spool", says, larger)
    elif spool.headroom_s is not None and spool.headroom_s < _SHORT_S:
        says = f"The spool is full in {spool.headroom_s / 60:.0f} minutes at the current rate."
        yield Finding("spool", says, larger)


def _lag(lag: dict[str, int], place: Place) -> Iterator[Finding]:
    for edge, entries in lag.items():
        if entries > _LONG_LAG:
            says = f"The writer is {entries} batches behind the edge {edge}: events come late."
            yield Finding("writer", says, place.look("writer"), is_fault=False)


def _core(report: Report, place: Place, writer_is_ready: bool) -> Iterator[Finding]:
    assert report.core is not None
    for edge in report.core.edges:
        if edge.lost_batches:
            says = f"{edge.lost_batches} batches that the edge {edge.edge} acknowledged are lost."
            yield Finding("ledger", says, place.verb(f"ledger --edge {edge.edge}"))
        # The writer is who hears them.
        if writer_is_ready and not edge.is_retired and edge.is_silent is not False:
            yield _silent(edge, place)
    held = report.core.quarantined
    if held:
        reasons = ", ".join(f"{count} {reason}" for reason, count in held.items())
        says = f"Set aside, and not counted: {reasons}."
        yield Finding("quarantine", says, place.verb("quarantine list"), is_fault=False)


def _silent(edge: EdgeSeen, place: Place) -> Finding:
    gone = f"if it is gone for good: {place.verb(f'edge retire {edge.edge}')}"
    if edge.last_heard is None:
        says = f"The edge {edge.edge} is registered and was never heard."
        return Finding("edges", says, f"start it on its host; {gone}", is_fault=False)
    since = f"{edge.last_heard:%Y-%m-%d %H:%M:%S}Z"
    says = (
        f"The edge {edge.edge} is silent since {since}; it then held {edge.spooled_batches} "
        "batches."
    )
    return Finding("edges", says, f"on its host: millrace status; {gone}")


def _seen(seen: Seen, place: Place) -> Iterator[Finding]:
    if seen.all < _ENOUGH_LOOKS:
        return
    of = f"of the {seen.all} beacons looked at lately"
    hidden = (
        (seen.loopback, "a loopback address (this host's own)"),
        (seen.private, "a private address"),
        (seen.one_address, "one and the same address"),
    )
    for count, whose in hidden:
        if count * 2 > seen.all:
            says = f"{count} {of} seem to come from {whose}: {_headers(seen)}."
            yield Finding("addresses", says, _trust(seen, place), is_fault=False)
            return


def _headers(seen: Seen) -> str:
    names = ", ".join(f"{_title(name)} ({count})" for name, count in sorted(seen.headers.items()))
    if not names:
        return "no header names another, so a proxy before the edge, if there is one, sends none"
    believed = "it was believed" if seen.told * 2 > seen.all else "it was not believed"
    return f"they arrived with {names}, and {believed}"


def _trust(seen: Seen, place: Place) -> str:
    if "x-forwarded-for" not in seen.headers:
        return (
            "if visitors come through a proxy, have it send X-Forwarded-For and name its network "
            f"in {_TRUSTED}; else all is well"
        )
    if seen.told * 2 > seen.all:
        return f"if that is one more proxy, add its network to {_TRUSTED}"
    network = "127.0.0.1/32,::1/128" if seen.loopback * 2 > seen.all else "the proxy's network"
    explain = place.verb('ip explain --peer ADDRESS --header "X-Forwarded-For: …"')
    return f"set {_TRUSTED} to {network}; to try it: {explain}"


def _title(header: str) -> str:
    return "-".join(part.capitalize() for part in header.split("-"))
