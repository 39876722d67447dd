"""Sums by day and hour, and how far the stage has come."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    text,
)

from writer.rollups.dimensions import SUMS
from writer.tables.base import Instant, metadata


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
