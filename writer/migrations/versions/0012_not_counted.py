"""What was not counted, by site, day and reason."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "not_counted",
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "day", "reason"),
        comment="what edges dropped or refused, by the day on which their counts told it",
    )
    op.add_column(
        "edge_count",
        sa.Column(
            "noted",
            sa.BigInteger(),
            nullable=False,
            server_default=sa.text("0"),
            comment="of these, events that not_counted holds",
        ),
    )
    # On which days they were, nobody knows any more.
    op.execute("UPDATE edge_count SET noted = events")
    op.create_index(
        "events_of_bots",
        "events",
        ["site_id", "day"],
        postgresql_where=sa.text("bot IS NOT NULL"),
    )
