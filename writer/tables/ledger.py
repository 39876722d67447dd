"""What became of every batch and event."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Identity,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import INT8MULTIRANGE

from writer.tables.base import NO_RANGES, NOW, Instant, Xid8, metadata

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
