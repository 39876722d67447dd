"""Events that wait for their day's rows, and days of which nothing is left."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "quarantine",
        sa.Column("site_id", sa.Integer(), comment="of an event that waits for its day"),
    )
    op.add_column(
        "quarantine", sa.Column("day", sa.Date(), comment="of an event that waits for it")
    )
    op.alter_column(
        "quarantine",
        "state",
        existing_type=sa.Text(),
        existing_nullable=False,
        existing_server_default="held",
        comment="held, waiting, replayed, discarded",
        existing_comment="held, replayed, discarded",
    )
    op.create_index(
        "quarantine_waiting",
        "quarantine",
        ["site_id", "day"],
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.alter_column(
        "site_day",
        "state",
        existing_type=sa.Text(),
        existing_nullable=False,
        existing_server_default="open",
        comment="open, archived, file, gone, forgotten",
        existing_comment="open, archived, file, gone",
    )
    # Their rows went before there were rollups.
    op.execute("UPDATE site_day SET state = 'forgotten' WHERE state = 'gone'")
