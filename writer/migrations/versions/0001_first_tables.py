"""Every table of the first version, the hypertable, and the functions that number commits."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import INT8MULTIRANGE, JSONB
from sqlalchemy.types import UserDefinedType

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


class Xid8(UserDefinedType[int]):
    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "xid8"


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    _stored_of_beacons()
    _ledger()
    _sites()
    _who_may_ask()
    # Without the default index on ts alone: no query asks for a time without a site.
    op.execute(
        "SELECT create_hypertable('events', by_range('ts', interval '7 days'),"
        " create_default_indexes => false)"
    )
    _commit_numbers()
    _snapshot_triggers()


def _stored_of_beacons() -> None:
    op.create_table(
        "events",
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column(
            "ts",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="when it happened, from the envelope alone",
        ),
        sa.Column("event_id", sa.Uuid(), nullable=False, comment="the receipt"),
        sa.Column("commit_in", sa.BigInteger(), nullable=False, comment="the commit it came in"),
        sa.Column(
            "commit_out",
            sa.BigInteger(),
            nullable=True,
            comment="the commit it went, where another took its place",
        ),
        sa.Column(
            "day", sa.Date(), nullable=False, comment="site-local day, set once from site_day"
        ),
        sa.Column("hour", sa.SmallInteger(), nullable=False, comment="site-local hour, 0 to 23"),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "visitor",
            sa.BigInteger(),
            nullable=True,
            comment="keyed hash, good for one site and day; null: none",
        ),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("interactive", sa.Boolean(), nullable=False),
        sa.Column(
            "bot",
            sa.Text(),
            nullable=True,
            comment="the rule that matched; such a row is left out of the numbers",
        ),
        sa.Column("hostname", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "page", sa.Text(), server_default="", nullable=False, comment="path without query"
        ),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "referrer", sa.Text(), server_default="", nullable=False, comment="host and path"
        ),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.Column("channel", sa.Text(), server_default="", nullable=False),
        sa.Column("utm_source", sa.Text(), server_default="", nullable=False),
        sa.Column("utm_medium", sa.Text(), server_default="", nullable=False),
        sa.Column("utm_campaign", sa.Text(), server_default="", nullable=False),
        sa.Column("utm_term", sa.Text(), server_default="", nullable=False),
        sa.Column("utm_content", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "click_id", sa.Text(), server_default="", nullable=False, comment="which kind was there"
        ),
        sa.Column(
            "country", sa.Text(), server_default="", nullable=False, comment="ISO 3166-1 alpha-2"
        ),
        sa.Column("region", sa.Text(), server_default="", nullable=False),
        sa.Column("city", sa.Text(), server_default="", nullable=False),
        sa.Column("browser", sa.Text(), server_default="", nullable=False),
        sa.Column("browser_version", sa.Text(), server_default="", nullable=False),
        sa.Column("os", sa.Text(), server_default="", nullable=False),
        sa.Column("os_version", sa.Text(), server_default="", nullable=False),
        sa.Column("device", sa.Text(), server_default="", nullable=False),
        sa.Column("language", sa.Text(), server_default="", nullable=False),
        sa.Column("screen", sa.Text(), server_default="", nullable=False, comment="class by width"),
        sa.Column("user_id", sa.Text(), nullable=True, comment="only where the site allows it"),
        sa.Column("props", JSONB(), nullable=True),
        sa.Column(
            "revenue", sa.BigInteger(), nullable=True, comment="thousandths of the currency's unit"
        ),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("items", JSONB(), nullable=True),
        sa.Column("engaged_ms", sa.Integer(), nullable=True),
        sa.Column("scroll_pct", sa.SmallInteger(), nullable=True),
        sa.Column("vitals", JSONB(), nullable=True),
        comment="hypertable by ts",
    )
    op.create_index("events_by_commit", "events", ["commit_in"], unique=False)
    op.create_index(
        "events_gone",
        "events",
        ["commit_out"],
        unique=False,
        postgresql_where=sa.text("commit_out IS NOT NULL"),
    )
    op.create_index("events_once", "events", ["site_id", "ts", "event_id"], unique=True)
    op.create_table(
        "client_id",
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column(
            "received_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="of the request that stands",
        ),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("ts", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "client_id"),
        comment="ids that clients minted, remembered for eight days at least",
    )
    op.create_table(
        "quarantine",
        sa.Column("quarantine_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("edge", sa.Text(), nullable=False),
        sa.Column("boot", sa.BigInteger(), nullable=True),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("index", sa.Integer(), nullable=True, comment="null: the whole entry"),
        sa.Column("site", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "sealed",
            sa.LargeBinary(),
            nullable=False,
            comment="the envelope or entry, still sealed",
        ),
        sa.Column("commit_no", sa.BigInteger(), nullable=False),
        sa.Column(
            "set_aside_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "state",
            sa.Text(),
            server_default="held",
            nullable=False,
            comment="held, replayed, discarded",
        ),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "digest",
            sa.LargeBinary(),
            nullable=True,
            comment="of a whole entry, which no ledger knows: kept once",
        ),
        sa.PrimaryKeyConstraint("quarantine_id"),
    )
    op.create_index("quarantine_once", "quarantine", ["edge", "digest"], unique=True)
    op.create_table(
        "dropped",
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "day", "reason"),
        comment="what the writer dropped on purpose, as counts",
    )


def _ledger() -> None:
    op.create_table(
        "commits",
        sa.Column("commit_no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("xid", Xid8(), nullable=False),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("events", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "first_ts",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="range of ts the commit touched",
        ),
        sa.Column("last_ts", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("commit_no"),
        comment="one row a writer transaction; see open_commit() and settled()",
    )
    op.create_table(
        "batch",
        sa.Column("edge", sa.Text(), nullable=False),
        sa.Column("boot", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("commit_no", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("edge", "boot", "seq"),
        comment="stored batches not yet folded into boot.stored",
    )
    op.create_table(
        "boot",
        sa.Column("edge", sa.Text(), nullable=False),
        sa.Column("boot", sa.BigInteger(), nullable=False),
        sa.Column(
            "stored",
            INT8MULTIRANGE(),
            server_default=sa.text("'{}'::int8multirange"),
            nullable=False,
        ),
        sa.Column(
            "void", INT8MULTIRANGE(), server_default=sa.text("'{}'::int8multirange"), nullable=False
        ),
        sa.Column("low", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("low_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_acked", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("clock_offset_us", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_heard", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("edge", "boot"),
        comment="one worker start of an edge",
    )
    op.create_table(
        "edge",
        sa.Column("edge", sa.Text(), nullable=False),
        sa.Column(
            "added_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_heard", sa.DateTime(timezone=True), nullable=True),
        sa.Column("spooled_batches", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("spooled_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("oldest_spooled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("edge"),
        comment="the registry of edges",
    )
    op.create_table(
        "edge_count",
        sa.Column("edge", sa.Text(), nullable=False),
        sa.Column("boot", sa.BigInteger(), nullable=False),
        sa.Column("site_digest", sa.LargeBinary(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("edge", "boot", "site_digest", "outcome"),
        comment="what each boot counted, as its heartbeat tells",
    )


def _sites() -> None:
    op.create_table(
        "site",
        sa.Column(
            "site_id",
            sa.Integer(),
            sa.Identity(always=True),
            nullable=False,
            comment="never reused",
        ),
        sa.Column("key", sa.Text(), nullable=False, comment="what beacons call it: its domain"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("site_id"),
        sa.UniqueConstraint("key"),
    )
    op.create_table(
        "site_setting",
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("value", JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "name", "valid_from"),
        comment="settings with their history; read as of an envelope's received_at",
    )
    op.create_table(
        "site_day",
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "state",
            sa.Text(),
            server_default="open",
            nullable=False,
            comment="open, archived, file, gone",
        ),
        sa.PrimaryKeyConstraint("site_id", "day"),
    )
    op.create_table(
        "salt",
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="live or import"),
        sa.Column("salt", sa.LargeBinary(), nullable=True, comment="null once deleted"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "last_used_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("site_id", "day", "generation"),
    )


def _who_may_ask() -> None:
    op.create_table(
        "owner",
        sa.Column("owner_id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("password", sa.Text(), nullable=False, comment="Argon2id"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("owner_id"),
        sa.UniqueConstraint("email"),
    )
    op.create_table(
        "session",
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of the cookie"),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_table(
        "api_key",
        sa.Column("key_id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of the key"),
        sa.Column("site_id", sa.Integer(), nullable=True, comment="null: every site"),
        sa.Column("scopes", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("label", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("key_id"),
        sa.UniqueConstraint("digest", name="api_key_digest"),
    )
    op.create_table(
        "live_ticket",
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of the ticket"),
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_table(
        "snapshot_version",
        sa.Column("epoch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("epoch"),
        comment="one row; triggers on site, site_setting and api_key count it up",
    )


def _commit_numbers() -> None:
    # The lock is held only while xid and number are drawn, so that their orders agree; the
    # transaction itself runs beside others.
    op.execute("CREATE SEQUENCE commit_no")
    op.execute("""
CREATE FUNCTION open_commit() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    number bigint;
    own_xid xid8;
BEGIN
    IF pg_current_xact_id_if_assigned() IS NOT NULL THEN
        RAISE EXCEPTION 'open_commit() must be the first write of its transaction';
    END IF;
    PERFORM pg_advisory_lock(7235420);
    own_xid := pg_current_xact_id();
    number := nextval('commit_no');
    PERFORM pg_advisory_unlock(7235420);
    INSERT INTO commits (commit_no, xid) VALUES (number, own_xid);
    RETURN number;
END
$$
""")
    op.execute("""
CREATE FUNCTION settled() RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT coalesce((
        SELECT commit_no FROM commits
        WHERE xid < pg_snapshot_xmin(pg_current_snapshot())
        ORDER BY commit_no DESC LIMIT 1
    ), 0)
$$
""")


def _snapshot_triggers() -> None:
    op.execute(
        "INSERT INTO snapshot_version (epoch, version)"
        " VALUES (extract(epoch from clock_timestamp())::bigint, 1)"
    )
    op.execute("""
CREATE FUNCTION count_snapshot_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE snapshot_version SET version = version + 1;
    RETURN NULL;
END
$$
""")
    for table in ("site", "site_setting", "api_key"):
        op.execute(
            f"CREATE TRIGGER count_snapshot_version"
            f" AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table}"
            f" FOR EACH STATEMENT EXECUTE FUNCTION count_snapshot_version()"
        )
