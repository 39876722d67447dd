"""Who may ask, and what they ask with."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    Identity,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from writer.tables.base import NOW, Instant, metadata

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
