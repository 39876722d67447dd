"""What owners save by name."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Identity,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from writer.tables.base import NOW, Instant, metadata

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
