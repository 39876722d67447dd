"""Sites, their days, their settings and the salts of their visitors."""

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    Identity,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from writer.tables.base import NOW, Instant, metadata

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
