"""Which file holds which site-day."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    Date,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)

from writer.tables.base import Instant, metadata

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
