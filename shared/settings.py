"""Settings: environment variables ``MILLRACE_…``, declared once, typed, checked at start.

A field ``edge_name`` is read from ``MILLRACE_EDGE_NAME``, or from the file that
``MILLRACE_EDGE_NAME_FILE`` names. Lists are parted by commas. An unknown variable is an error
that names its nearest neighbour. ``millrace settings`` prints the table that stands here.
"""

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

import msgspec
from msgspec import Meta

from shared import failpoints

PREFIX = "MILLRACE_"
_FILE = "_FILE"

NOT_SETTINGS = {"MILLRACE_CACHE", "MILLRACE_STATE", failpoints.VARIABLE}
"""Variables that the runner of a checkout reads itself, before there are settings, and the one
with which a test ends a process."""

Port = Annotated[int, Meta(ge=1, le=65535)]
Seconds = Annotated[float, Meta(gt=0)]
Positive = Annotated[int, Meta(ge=1)]


def _about(meaning: str, unit: str = "", *, secret: bool = False) -> Meta:
    return Meta(description=meaning, extra={"unit": unit, "secret": secret})


class BadSettings(Exception):
    """The environment cannot be used; the message names each faulty variable."""


class _Service(msgspec.Struct, frozen=True, kw_only=True):
    log_level: Annotated[str, _about("debug, info, warning or error")] = "info"
    log_format: Annotated[str, _about("text, json, or auto: text on a terminal, else json")] = (
        "auto"
    )
    ops_host: Annotated[
        str, _about("address of /healthz, /readyz and /metrics; keep it private", "address")
    ] = "127.0.0.1"


_PostgresUrl = Annotated[
    str, _about("TimescaleDB that holds the events", "postgresql:// URL", secret=True)
]


_ArchiveFolder = Annotated[
    Path, _about("folder of the archive's Parquet files; jobs write it, the API reads it", "folder")
]


class _OnPrimary(_Service, frozen=True, kw_only=True):
    primary_url: Annotated[
        str, _about("Redis that carries batches from edges to writers", "redis:// URL", secret=True)
    ]


class _Core(_OnPrimary, frozen=True, kw_only=True):
    postgres_url: _PostgresUrl


class EdgeSettings(_OnPrimary, frozen=True, kw_only=True):
    """What an edge and its drain read."""

    edge_name: Annotated[
        str,
        Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$"),
        _about("this edge, as `millrace edge add` registered it; a former one's batches come home"),
    ]
    spool_url: Annotated[str, _about("local append-only Redis", "redis:// URL", secret=True)]
    core_verify_key: Annotated[
        str, _about("the core's Ed25519 key that signs snapshots, pinned", "base64")
    ]
    seal_public_key: Annotated[
        str, _about("the writer's key, used until a snapshot has come", "id:base64")
    ]
    edge_host: Annotated[str, _about("address to listen on", "address")] = "127.0.0.1"
    edge_port: Annotated[Port, _about("port to listen on")] = 4001
    edge_ops_port: Annotated[Port, _about("port of the edge's health and metrics")] = 4101
    drain_ops_port: Annotated[Port, _about("port of the drain's health and metrics")] = 4105
    edge_workers: Annotated[Positive, _about("uvicorn workers", "processes")] = 1
    edge_state_dir: Annotated[
        Path, _about("where workers keep their last acknowledged numbers", "folder")
    ] = Path("/var/lib/millrace/edge")
    edge_path: Annotated[str, _about("path of the beacon endpoint")] = "/track"
    edge_script_path: Annotated[str, _about("path of the tracker script")] = "/t.js"
    edge_pixel_path: Annotated[str, _about("path of the pixel")] = "/pixel.gif"
    edge_script_max_age_s: Annotated[
        int, Meta(ge=0), _about("how long browsers may keep the tracker", "s")
    ] = 3600
    edge_trusted_proxies: Annotated[
        tuple[str, ...], _about("peers whose X-Forwarded-For is believed", "networks")
    ] = ()
    edge_body_memory_bytes: Annotated[
        Positive, _about("request bytes a worker holds at once", "bytes")
    ] = 64 * 1024 * 1024
    edge_body_timeout_s: Annotated[Seconds, _about("time to send a body", "s")] = 10.0
    edge_prefix_v4: Annotated[
        int, Meta(ge=8, le=32), _about("prefix by which IPv4 clients are limited", "bits")
    ] = 24
    edge_prefix_v6: Annotated[
        int, Meta(ge=16, le=128), _about("prefix by which IPv6 clients are limited", "bits")
    ] = 56
    edge_address_events_per_s: Annotated[
        Positive, _about("events a second from one prefix; each worker allows its part", "1/s")
    ] = 100
    edge_total_events_per_s: Annotated[
        Positive, _about("events a second that the edge takes in all", "1/s")
    ] = 50_000
    edge_strict: Annotated[
        bool, _about("use no Redis that may lose what it confirms (no fsync, eviction)")
    ] = True
    edge_ping_interval_s: Annotated[
        Seconds, _about("how often the primary is asked whether it lives", "s")
    ] = 0.05
    edge_ping_timeout_s: Annotated[
        Seconds, _about("an unanswered PING after this time means hung", "s")
    ] = 0.15
    spool_timeout_s: Annotated[Seconds, _about("time for a write to the spool", "s")] = 2.0
    spool_max_bytes: Annotated[Positive, _about("most the spool may hold", "bytes")] = 2 * 1024**3
    drain_deadline_s: Annotated[
        Seconds, _about("the drain starts over after so long without progress", "s")
    ] = 30.0
    drain_batches: Annotated[Positive, _about("batches the drain sends at a time")] = 64
    drain_bytes_per_s: Annotated[
        Positive, _about("most the drain sends, so that live beacons do not wait for it", "bytes/s")
    ] = 1_200_000
    drain_share: Annotated[
        float, Meta(gt=0, le=1), _about("share of its time the drain may send", "0 to 1")
    ] = 0.5
    edge_journal: Annotated[
        Literal["on", "off"],
        _about("on: a batch stays in the spool until the database has it, and a day longer"),
    ] = "off"
    edge_journal_keep_h: Annotated[
        int, Meta(ge=0, le=48), _about("how long the journal keeps what the database has", "h")
    ] = 24


class WriterSettings(_Core, frozen=True, kw_only=True):
    """What the writer reads."""

    signing_key: Annotated[str, _about("Ed25519 seed that signs snapshots", "base64", secret=True)]
    seal_keys: Annotated[
        str, _about("private sealing keys, newest first", "id:base64 …", secret=True)
    ]
    writer_name: Annotated[str, _about("this consumer among several writers")] = "writer-1"
    writer_port: Annotated[Port, _about("port of the writer's health and metrics")] = 4002
    writer_read_events: Annotated[Positive, _about("most events in one transaction")] = 2_000
    writer_read_batches: Annotated[Positive, _about("most batches in one transaction")] = 100
    writer_claim_after_s: Annotated[
        Seconds, _about("an entry idle so long at another writer is taken over", "s")
    ] = 30.0
    writer_strict: Annotated[
        bool, _about("store nothing in a database that may lose what it commits (fsync off)")
    ] = True
    writer_answer_s: Annotated[
        Seconds, _about("without an answer for so long the database counts as hung", "s")
    ] = 15.0
    rollups: Annotated[
        bool, _about("sum up what is stored; without it, answers come from rows and archive")
    ] = True
    geo_dir: Annotated[Path, _about("folder of the mmdb files", "folder")] = Path(
        "/var/lib/millrace/geo"
    )
    rows_keep_days: Annotated[
        int, Meta(ge=1), _about("days that rows are kept where a site says nothing else", "days")
    ] = 1095


class JobsSettings(_Core, frozen=True, kw_only=True):
    """What the jobs worker reads."""

    jobs_ops_port: Annotated[Port, _about("port of the jobs worker's health and metrics")] = 4106
    geo_dir: Annotated[Path, _about("folder of the mmdb files", "folder")] = Path(
        "/var/lib/millrace/geo"
    )
    geo_refresh: Annotated[bool, _about("fetch newer geo files once a week")] = True
    archive: Annotated[bool, _about("write closed days to the archive")] = True
    archive_folder: _ArchiveFolder = Path("/var/lib/millrace/archive")
    archive_memory_mb: Annotated[
        int, Meta(ge=128), _about("memory for writing one day; what is over goes to disk", "MB")
    ] = 512
    rows_keep_days: Annotated[
        int, Meta(ge=1), _about("days that rows are kept where a site says nothing else", "days")
    ] = 1095


class ApiSettings(_Service, frozen=True, kw_only=True):
    """What the query API reads."""

    postgres_url: _PostgresUrl
    api_host: Annotated[str, _about("address to listen on", "address")] = "127.0.0.1"
    api_port: Annotated[Port, _about("port to listen on")] = 4003
    api_ops_port: Annotated[Port, _about("port of the API's health and metrics")] = 4103
    api_url: Annotated[str, _about("the dashboard as browsers see it", "URL")] = (
        "http://127.0.0.1:4003"
    )
    live_url: Annotated[str, _about("the gateway as browsers see it", "ws:// URL")] = (
        "ws://127.0.0.1:4004/live"
    )
    edge_url: Annotated[str, _about("an edge as browsers see it, for snippets", "URL")] = (
        "http://127.0.0.1:4001"
    )
    api_query_timeout_s: Annotated[Seconds, _about("a query is cancelled after so long", "s")] = (
        20.0
    )
    api_connections: Annotated[Positive, _about("database connections")] = 8
    archive_folder: _ArchiveFolder = Path("/var/lib/millrace/archive")
    api_archive_memory_mb: Annotated[
        int, Meta(ge=128), _about("memory for reading the archive", "MB")
    ] = 1024
    api_archive_threads: Annotated[
        int, Meta(ge=0), _about("threads that read the archive; 0: as many as cores")
    ] = 0
    api_session_days: Annotated[Positive, _about("how long a sign-in lasts", "days")] = 14
    api_link_minutes: Annotated[
        Positive, _about("how long a link that signs in works, once", "minutes")
    ] = 15


class RealtimeSettings(_Core, frozen=True, kw_only=True):
    """What the realtime gateway reads."""

    realtime_host: Annotated[str, _about("address to listen on", "address")] = "127.0.0.1"
    realtime_port: Annotated[Port, _about("port to listen on")] = 4004
    realtime_ops_port: Annotated[Port, _about("port of the gateway's health and metrics")] = 4104
    api_url: Annotated[
        str, _about("the dashboard as browsers see it: the Origin to accept", "URL")
    ] = "http://127.0.0.1:4003"
    realtime_poll_s: Annotated[
        Seconds, _about("how often commits are looked for without a hint", "s")
    ] = 0.25
    realtime_send_queue_bytes: Annotated[
        Positive, _about("a client that lags by more is cut off", "bytes")
    ] = 1024 * 1024
    silent_after_s: Annotated[Seconds, _about("an edge unheard for so long is silent", "s")] = 5.0


GROUPS: tuple[type[msgspec.Struct], ...] = (
    EdgeSettings,
    WriterSettings,
    JobsSettings,
    ApiSettings,
    RealtimeSettings,
)

S = TypeVar("S", bound=msgspec.Struct)


class Described(NamedTuple):
    """One row of the settings table; ``value`` is masked where it is secret. ``fault``: why no
    service could use it; empty where all is well, and where it is not set."""

    variable: str
    value: str
    source: str
    default: str
    unit: str
    meaning: str
    secret: bool
    required: bool
    fault: str


class Unknown(NamedTuple):
    """A variable that is no setting, and the one that may be meant."""

    variable: str
    nearest: str

    def __str__(self) -> str:
        meant = f"; did you mean {self.nearest}?" if self.nearest else ""
        return f"{self.variable} is not a setting{meant}"


def load(group: type[S], environ: Mapping[str, str]) -> S:
    """The settings of one service. Raises BadSettings naming every fault at once."""
    faults = [str(each) for each in unknown(environ)]
    values: dict[str, Any] = {}
    hints = get_type_hints(group, include_extras=True)
    for field in msgspec.structs.fields(group):
        try:
            text = read_setting(field.name, environ)
            if text is not None:
                values[field.name] = _convert(text, hints[field.name])
            elif field.required:
                faults.append(f"{variable(field.name)} is not set: {_meaning(hints[field.name])}")
        except (msgspec.ValidationError, OSError) as error:
            faults.append(f"{variable(field.name)}: {error}")
    if faults:
        raise BadSettings("\n".join(faults))
    return group(**values)


def describe(environ: Mapping[str, str]) -> Iterator[Described]:
    """Every setting there is, with where its value comes from."""
    seen: set[str] = set()
    for group in GROUPS:
        hints = get_type_hints(group, include_extras=True)
        for field in msgspec.structs.fields(group):
            if field.name not in seen:
                seen.add(field.name)
                yield _described(field, hints[field.name], environ)


def variable(field: str) -> str:
    """The environment variable of a field."""
    return PREFIX + field.upper()


def _described(
    field: msgspec.structs.FieldInfo, hint: Any, environ: Mapping[str, str]
) -> Described:
    extra, name = _extra(hint), variable(field.name)
    default = "" if field.required else _show(field.default)
    text, fault = _read(field.name, hint, environ)
    return Described(
        variable=name,
        value=default if text is None else ("••••••" if extra["secret"] and text else text),
        source=_source(name, environ, required=field.required),
        default=default,
        unit=extra["unit"],
        meaning=_meaning(hint),
        secret=bool(extra["secret"]),
        required=field.required,
        fault=fault,
    )


def _read(field: str, hint: Any, environ: Mapping[str, str]) -> tuple[str | None, str]:
    """The text, and why it cannot be used."""
    try:
        text = read_setting(field, environ)
    except OSError as error:
        return "", str(error)
    try:
        if text is not None:
            _convert(text, hint)
    except msgspec.ValidationError as error:
        return text, str(error)
    return text, ""


def _source(name: str, environ: Mapping[str, str], *, required: bool) -> str:
    found = next((each for each in (name, name + _FILE) if each in environ), None)
    return found or ("not set" if required else "default")


def unknown(environ: Mapping[str, str]) -> Iterator[Unknown]:
    """Variables that look like settings and are none: a mistyped one would be without effect."""
    known = {variable(field) for group in GROUPS for field in group.__struct_fields__}
    known |= {name + _FILE for name in known} | NOT_SETTINGS
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known:
            yield Unknown(name, next(iter(difflib.get_close_matches(name, known, n=1)), ""))


def variables(field: str) -> tuple[str, str]:
    """Both that a field is read from: the one that holds it, and the one that names a file."""
    return variable(field), variable(field) + _FILE


def read_setting(field: str, environ: Mapping[str, str]) -> str | None:
    """The text of one setting, wherever it stands; None where it is not set. Raises OSError."""
    file = setting_file(field, environ)
    return environ.get(variable(field)) if file is None else file.read_text().strip()


def setting_file(field: str, environ: Mapping[str, str]) -> Path | None:
    """The file that a setting is read from; None where it stands in the environment or nowhere."""
    name, file = variables(field)
    return Path(environ[file]) if file in environ and name not in environ else None


def _convert(text: str, hint: Any) -> Any:
    plain, *_ = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    if get_origin(plain) is tuple:
        parts = [part.strip() for part in text.split(",")]
        return tuple(part for part in parts if part)
    if plain is Path:
        return Path(text)
    return msgspec.convert(text, hint, strict=False)


def _extra(hint: Any) -> dict[str, Any]:
    for meta in get_args(hint)[1:]:
        if isinstance(meta, Meta) and meta.extra:
            return dict(meta.extra)
    return {"unit": "", "secret": False}


def _meaning(hint: Any) -> str:
    return next(
        (m.description for m in get_args(hint)[1:] if isinstance(m, Meta) and m.description), ""
    )


def _show(value: Any) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)
