"""What became of events that do not stand; and room for an event beside the one it replaced."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "left_out",
        sa.Column("event_id", sa.Uuid(), nullable=False, comment="the receipt"),
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column(
            "reason",
            sa.Text(),
            nullable=False,
            comment="duplicate, or why the writer dropped it",
        ),
        sa.Column(
            "client_id",
            sa.Uuid(),
            nullable=True,
            comment="of a duplicate: what it shares with the event that stands",
        ),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("commit_no", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("event_id"),
        comment="events that do not stand, for the trace; kept as long as client ids",
    )
    op.create_index("left_out_by_age", "left_out", ["received_at"])
    op.drop_index("events_once", "events")
    op.create_index(
        "events_once",
        "events",
        ["site_id", "ts", "event_id", "commit_out"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
