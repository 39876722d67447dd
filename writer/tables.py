"""Every table, as SQLAlchemy Core metadata: what the migrations make and the other services read.

A row of ``events`` is visible as of commit C when
``commit_in <= C and (commit_out is null or commit_out > C)``.
No index holds client text: where such text is a key, its 16-byte digest is, with the text beside.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import INT8MULTIRANGE, JSONB
from sqlalchemy.types import UserDefinedType

from writer.rollups.dimensions import SUMS

metadata = MetaData()
Instant = DateTime(timezone=True)
NOW = text("now()")
NO_RANGES = text("'{}'::int8multirange")


class Xid8(UserDefinedType[int]):
    """PostgreSQL's 64-bit transaction id, which never wraps."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """The type's name in DDL."""
        return "xid8"


# --- what is stored of beacons -----------------------------------------------------------------

events = Table(
    "events",
    metadata,
    Column("site_id", Integer, nullable=False),
    Column("ts", Instant, nullable=False, comment="when it happened, from the envelope alone"),
    Column("event_id", Uuid, nullable=False, comment="the receipt"),
    Column("commit_in", BigInteger, nullable=False, comment="the commit it came in"),
    Column("commit_out", BigInteger, comment="the commit it went, where another took its place"),
    Column("day", Date, nullable=False, comment="site-local day, set once from site_day"),
    Column("hour", SmallInteger, nullable=False, comment="site-local hour, 0 to 23"),
    Column("received_at", Instant, nullable=False),
    Column("visitor", BigInteger, comment="keyed hash, good for one site and day; null: none"),
    Column("name", Text, nullable=False),
    Column("interactive", Boolean, nullable=False),
    Column("bot", Text, comment="the rule that matched; such a row is left out of the numbers"),
    Column("hostname", Text, nullable=False, server_default=""),
    Column("page", Text, nullable=False, server_default="", comment="path without query"),
    Column("title", Text, nullable=False, server_default=""),
    Column("referrer", Text, nullable=False, server_default="", comment="host and path"),
    Column("source", Text, nullable=False, server_default=""),
    Column("channel", Text, nullable=False, server_default=""),
    Column("utm_source", Text, nullable=False, server_default=""),
    Column("utm_medium", Text, nullable=False, server_default=""),
    Column("utm_campaign", Text, nullable=False, server_default=""),
    Column("utm_term", Text, nullable=False, server_default=""),
    Column("utm_content", Text, nullable=False, server_default=""),
    Column("click_id", Text, nullable=False, server_default="", comment="which kind was there"),
    Column("country", Text, nullable=False, server_default="", comment="ISO 3166-1 alpha-2"),
    Column("region", Text, nullable=False, server_default=""),
    Column("city", Text, nullable=False, server_default=""),
    Column("browser", Text, nullable=False, server_default=""),
    Column("browser_version", Text, nullable=False, server_default=""),
    Column("os", Text, nullable=False, server_default=""),
    Column("os_version", Text, nullable=False, server_default=""),
    Column("device", Text, nullable=False, server_default=""),
    Column("language", Text, nullable=False, server_default=""),
    Column("screen", Text, nullable=False, server_default="", comment="class by width"),
    Column("user_id", Text, comment="only where the site allows it"),
    Column("props", JSONB(none_as_null=True)),
    Column("revenue", BigInteger, comment="thousandths of the currency's unit"),
    Column("currency", Text),
    Column("items", JSONB),
    Column("engaged_ms", Integer),
    Column("scroll_pct", SmallInteger),
    Column("vitals", JSONB),
    # With commit_out, so that what was replaced may stay beside what stands; of that, one.
    Index(
        "events_once",
        "site_id",
        "ts",
        "event_id",
        "commit_out",
        unique=True,
        postgresql_nulls_not_distinct=True,
    ),
    Index("events_by_commit", "commit_in"),
    Index("events_by_visitor", "site_id", "visitor", "ts"),
    Index("events_by_receipt", "event_id"),
    Index("events_of_bots", "site_id", "day", postgresql_where=text("bot IS NOT NULL")),
    Index("events_gone", "commit_out", postgresql_where=text("commit_out IS NOT NULL")),
    comment="hypertable by ts",
)

client_id = Table(
    "client_id",
    metadata,
    Column("site_id", Integer, primary_key=True),
    Column("client_id", Uuid, primary_key=True),
    Column("received_at", Instant, nullable=False, comment="of the request that stands"),
    Column("event_id", Uuid, nullable=False),
    Column("ts", Instant, nullable=False),
    Column(
        "claimed_at",
        Instant,
        nullable=False,
        server_default=func.now(),
        comment="when it was claimed last; forgotten by this",
    ),
    comment="ids that clients minted, remembered for eight days at least",
)

left_out = Table(
    "left_out",
    metadata,
    Column("event_id", Uuid, primary_key=True, comment="the receipt"),
    Column("site_id", Integer, nullable=False),
    Column("reason", Text, nullable=False, comment="duplicate, or why the writer dropped it"),
    Column("client_id", Uuid, comment="of a duplicate: what it shares with the event that stands"),
    Column("received_at", Instant, nullable=False),
    Column("commit_no", BigInteger, nullable=False),
    Column(
        "noted_at",
        Instant,
        nullable=False,
        server_default=func.now(),
        comment="when it was written down; forgotten by this",
    ),
    comment="events that do not stand, for the trace; kept as long as client ids",
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("quarantine_id", BigInteger, Identity(always=True), primary_key=True),
    Column("edge", Text, nullable=False),
    Column("boot", BigInteger),
    Column("seq", BigInteger),
    Column("index", Integer, comment="null: the whole entry"),
    Column("site", Text, nullable=False, server_default=""),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False, server_default=""),
    Column("received_at", Instant),
    Column("sealed", LargeBinary, nullable=False, comment="the envelope or entry, still sealed"),
    Column("commit_no", BigInteger, nullable=False),
    Column("set_aside_at", Instant, nullable=False, server_default=NOW),
    Column(
        "state",
        Text,
        nullable=False,
        server_default="held",
        comment="held, waiting, replayed, discarded",
    ),
    Column("closed_at", Instant),
    Column("digest", LargeBinary, comment="of a whole entry, which no ledger knows: kept once"),
    Column("site_id", Integer, comment="of an event that waits for its day"),
    Column("day", Date, comment="of an event that waits for it"),
    Index("quarantine_once", "edge", "digest", unique=True),
    Index("quarantine_waiting", "site_id", "day", postgresql_where=text("state = 'waiting'")),
)

dropped = Table(
    "dropped",
    metadata,
    Column("site_id", Integer, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("reason", Text, primary_key=True),
    Column("events", BigInteger, nullable=False),
    comment="what the writer dropped on purpose, as counts",
)

# --- ledger ------------------------------------------------------------------------------------

commits = Table(
    "commits",
    metadata,
    Column("commit_no", BigInteger, primary_key=True, autoincrement=False),
    Column("xid", Xid8, nullable=False),
    Column("at", Instant, nullable=False, server_default=text("clock_timestamp()")),
    Column("events", Integer, nullable=False, server_default=text("0")),
    Column("first_ts", Instant, comment="range of ts the commit touched"),
    Column("last_ts", Instant),
    comment="one row a writer transaction; see open_commit() and settled()",
)

batch = Table(
    "batch",
    metadata,
    Column("edge", Text, primary_key=True),
    Column("boot", BigInteger, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("n", Integer, nullable=False),
    Column("commit_no", BigInteger, nullable=False),
    comment="stored batches not yet folded into boot.stored",
)

boot = Table(
    "boot",
    metadata,
    Column("edge", Text, primary_key=True),
    Column("boot", BigInteger, primary_key=True),
    Column("stored", INT8MULTIRANGE, nullable=False, server_default=NO_RANGES),
    Column("void", INT8MULTIRANGE, nullable=False, server_default=NO_RANGES),
    Column("low", BigInteger, nullable=False, server_default=text("0")),
    Column("low_time", Instant),
    Column("last_acked", BigInteger, nullable=False, server_default=text("0")),
    Column("clock_offset_us", BigInteger, nullable=False, server_default=text("0")),
    Column("last_heard", Instant),
    Column("ended", Boolean, nullable=False, server_default=text("false")),
    Column(
        "counted_to",
        BigInteger,
        nullable=False,
        server_default=text("0"),
        comment="edge_count holds every acknowledged batch up to this number",
    ),
    Column(
        "folded_events",
        BigInteger,
        nullable=False,
        server_default=text("0"),
        comment="events of the batches in stored",
    ),
    Column(
        "uncounted_events",
        BigInteger,
        nullable=False,
        server_default=text("0"),
        comment="of these, events that edge_count does not hold",
    ),
    Column(
        "aside",
        INT8MULTIRANGE,
        nullable=False,
        server_default=NO_RANGES,
        comment="numbers of entries set aside whole, as their plain headers say",
    ),
    Column(
        "lost",
        INT8MULTIRANGE,
        nullable=False,
        server_default=NO_RANGES,
        comment="acknowledged numbers that are nowhere",
    ),
    Column("final_until", Instant, comment="all that it received before is stored"),
    Column(
        "accepted",
        INT8MULTIRANGE,
        nullable=False,
        server_default=NO_RANGES,
        comment="lost numbers that an operator has looked into",
    ),
    Column(
        "accepted_events",
        BigInteger,
        nullable=False,
        server_default=text("0"),
        comment="events of the batches in accepted",
    ),
    comment="one worker start of an edge",
)

accepted_loss = Table(
    "accepted_loss",
    metadata,
    Column("loss_id", BigInteger, Identity(always=True), primary_key=True),
    Column("edge", Text, nullable=False),
    Column("boot", BigInteger, nullable=False),
    Column("numbers", INT8MULTIRANGE, nullable=False),
    Column("batches", BigInteger, nullable=False),
    Column("events", BigInteger, nullable=False),
    Column("since", Instant, nullable=False),
    Column("until", Instant, nullable=False),
    Column("accepted_at", Instant, nullable=False, server_default=NOW),
    Column("accepted_by", Text, nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    comment="what was lost for ever, received between since and until, and who said so",
)

ledger_count = Table(
    "ledger_count",
    metadata,
    Column("edge", Text, primary_key=True),
    Column("boot", BigInteger, primary_key=True),
    Column("site_digest", LargeBinary, primary_key=True),
    Column("outcome", Text, primary_key=True),
    Column("site", Text, nullable=False),
    Column("events", BigInteger, nullable=False),
    comment="what became of each boot's events, counted by the commits that decided it",
)

edge = Table(
    "edge",
    metadata,
    Column("edge", Text, primary_key=True),
    Column("added_at", Instant, nullable=False, server_default=NOW),
    Column("retired_at", Instant),
    Column("last_heard", Instant),
    Column("spooled_batches", BigInteger, nullable=False, server_default=text("0")),
    Column("spooled_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("oldest_spooled_at", Instant),
    comment="the registry of edges",
)

edge_count = Table(
    "edge_count",
    metadata,
    Column("edge", Text, primary_key=True),
    Column("boot", BigInteger, primary_key=True),
    Column("site_digest", LargeBinary, primary_key=True),
    Column("outcome", Text, primary_key=True),
    Column("site", Text, nullable=False),
    Column("events", BigInteger, nullable=False),
    Column(
        "noted",
        BigInteger,
        nullable=False,
        server_default=text("0"),
        comment="of these, events that not_counted holds",
    ),
    comment="what each boot counted, as its heartbeat tells",
)

# --- sites, their days and settings ------------------------------------------------------------

site = Table(
    "site",
    metadata,
    Column("site_id", Integer, Identity(always=True), primary_key=True, comment="never reused"),
    Column("key", Text, nullable=False, unique=True, comment="what beacons call it: its domain"),
    Column("created_at", Instant, nullable=False, server_default=NOW),
    Column("removed_at", Instant),
)

site_setting = Table(
    "site_setting",
    metadata,
    Column("site_id", Integer, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("valid_from", Instant, primary_key=True),
    Column("value", JSONB, nullable=False),
    comment="settings with their history; read as of an envelope's received_at",
)

site_day = Table(
    "site_day",
    metadata,
    Column("site_id", Integer, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column(
        "state",
        Text,
        nullable=False,
        server_default="open",
        comment="open, archived, file, gone, forgotten",
    ),
    Column(
        "touched",
        BigInteger,
        nullable=False,
        server_default=text("0"),
        comment="the last commit, up to rollup_progress, that changed a row of the day",
    ),
)

salt = Table(
    "salt",
    metadata,
    Column("site_id", Integer, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("generation", Integer, primary_key=True),
    Column("kind", Text, nullable=False, comment="live or import"),
    Column("salt", LargeBinary, comment="null once deleted"),
    Column("created_at", Instant, nullable=False, server_default=NOW),
    Column("last_used_at", Instant, nullable=False, server_default=NOW),
    Column("deleted_at", Instant),
)

# --- rollups -----------------------------------------------------------------------------------


def _sums() -> list[Column[int]]:
    return [Column(name, BigInteger, nullable=False, server_default=text("0")) for name in SUMS]


rollup_day = Table(
    "rollup_day",
    metadata,
    Column("site_id", Integer, primary_key=True),
    Column("dimension", Text, primary_key=True, comment="empty: the site's totals"),
    Column("day", Date, primary_key=True),
    Column("digest", LargeBinary, primary_key=True, comment="of the value"),
    Column("value", Text, nullable=False),
    *_sums(),
    comment="by site-local day, dimension and value",
)

rollup_hour = Table(
    "rollup_hour",
    metadata,
    Column("site_id", Integer, primary_key=True),
    Column("dimension", Text, primary_key=True, comment="empty: the site's totals"),
    Column("day", Date, primary_key=True),
    Column("hour", SmallInteger, primary_key=True),
    Column("digest", LargeBinary, primary_key=True, comment="of the value"),
    Column("value", Text, nullable=False),
    *_sums(),
    comment="by site-local hour: totals and event names",
)

rollup_left_out = Table(
    "rollup_left_out",
    metadata,
    Column("site_id", Integer, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("dimension", Text, primary_key=True),
    comment="dimensions with too many values on a day to be rolled up",
)

rollup_props = Table(
    "rollup_props",
    metadata,
    Column("site_id", Integer, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("keys", ARRAY(Text), nullable=False),
    comment="which declared props are rolled up of a day, since its first event",
)

rollup_progress = Table(
    "rollup_progress",
    metadata,
    Column("one", Boolean, primary_key=True, server_default=text("true")),
    Column(
        "commit_no",
        BigInteger,
        nullable=False,
        server_default=text("0"),
        comment="the rollups hold for this commit",
    ),
    Column("looked_at", Instant, comment="when the stage last looked for more"),
    CheckConstraint("one", name="one_row"),
    comment="how far the stage has come",
)

# --- archive -----------------------------------------------------------------------------------

archive_file = Table(
    "archive_file",
    metadata,
    Column("site_id", Integer, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("commit_no", BigInteger, nullable=False, comment="the file holds for this commit"),
    Column("version", Integer, nullable=False, comment="of the day's file, from 1"),
    Column("definition", Integer, nullable=False, comment="of the file's columns"),
    Column("path", Text, nullable=False, comment="within the archive's folder"),
    Column("rows", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("written_at", Instant, nullable=False, server_default=text("clock_timestamp()")),
    Column("mtime_ns", BigInteger, nullable=False, comment="as it was last verified"),
    Column(
        "steady",
        ARRAY(Text),
        nullable=False,
        comment="columns in which every event has what its visit has",
    ),
    Column("verified_at", Instant, comment="when its bytes were last read"),
    Column("fault", Text, comment="missing, cut or altered; null: it agreed"),
    comment="the current Parquet file of each archived site-day",
)

# --- what owners save by name ------------------------------------------------------------------

goal = Table(
    "goal",
    metadata,
    Column("goal_id", Integer, Identity(always=True), primary_key=True),
    Column("site_id", Integer, nullable=False),
    Column("name", Text, nullable=False, comment="as event:goal calls it"),
    Column("filters", JSONB, nullable=False, comment="an event that matches is one"),
    Column("created_at", Instant, nullable=False, server_default=NOW),
    UniqueConstraint("site_id", "name"),
)

segment = Table(
    "segment",
    metadata,
    Column("segment_id", Integer, Identity(always=True), primary_key=True),
    Column("site_id", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("filters", JSONB, nullable=False),
    Column("created_at", Instant, nullable=False, server_default=NOW),
    UniqueConstraint("site_id", "name"),
)

exclusion = Table(
    "exclusion",
    metadata,
    Column("exclusion_id", Integer, Identity(always=True), primary_key=True),
    Column("site_id", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("filters", JSONB, nullable=False, comment="what matches is in no answer"),
    Column("created_at", Instant, nullable=False, server_default=NOW),
    UniqueConstraint("site_id", "name"),
)

bot_pattern = Table(
    "bot_pattern",
    metadata,
    Column("pattern_id", Integer, Identity(always=True), primary_key=True),
    Column("site_id", Integer, comment="null: every site of the installation"),
    Column("name", Text, nullable=False, comment="the rule that its events name"),
    Column("kind", Text, nullable=False, comment="user_agent or network"),
    Column("pattern", Text, nullable=False),
    Column(
        "allows",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="what matches is no robot, whatever the packaged list says",
    ),
    Column("valid_from", Instant, nullable=False, server_default=NOW),
    Column("valid_until", Instant, comment="null: in force"),
    comment="read as of an envelope's received_at, as settings are",
)

not_counted = Table(
    "not_counted",
    metadata,
    Column("site_id", Integer, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("reason", Text, primary_key=True),
    Column("events", BigInteger, nullable=False),
    comment="what edges dropped or refused, by the day on which their counts told it",
)

# --- who may ask -------------------------------------------------------------------------------

owner = Table(
    "owner",
    metadata,
    Column("owner_id", Integer, Identity(always=True), primary_key=True),
    Column("email", Text, nullable=False, unique=True),
    Column("password", Text, nullable=False, comment="Argon2id"),
    Column("created_at", Instant, nullable=False, server_default=NOW),
)

session = Table(
    "session",
    metadata,
    Column("digest", LargeBinary, primary_key=True, comment="SHA-256 of the cookie"),
    Column("owner_id", Integer, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

sign_in_link = Table(
    "sign_in_link",
    metadata,
    Column("digest", LargeBinary, primary_key=True, comment="SHA-256 of the link's token"),
    Column("owner_id", Integer, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

api_key = Table(
    "api_key",
    metadata,
    Column("key_id", Integer, Identity(always=True), primary_key=True),
    Column("digest", LargeBinary, nullable=False, comment="SHA-256 of the key"),
    Column("site_id", Integer, comment="null: every site"),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("label", Text, nullable=False, server_default=""),
    Column("created_at", Instant, nullable=False, server_default=NOW),
    Column("revoked_at", Instant),
    UniqueConstraint("digest", name="api_key_digest"),
)

live_ticket = Table(
    "live_ticket",
    metadata,
    Column("digest", LargeBinary, primary_key=True, comment="SHA-256 of the ticket"),
    Column("site_id", Integer, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

snapshot_version = Table(
    "snapshot_version",
    metadata,
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
    comment="one row; triggers on site, site_setting and api_key count it up",
)
