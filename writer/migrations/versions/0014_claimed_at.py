"""Client ids and receipts are remembered from when they were written down, not from a time that an
event tells of itself: what comes late would be forgotten in the night it came."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    instant = sa.TIMESTAMP(timezone=True)
    now = sa.text("now()")
    op.add_column(
        "client_id",
        sa.Column(
            "claimed_at",
            instant,
            nullable=False,
            server_default=now,
            comment="when it was claimed last; forgotten by this",
        ),
    )
    op.add_column(
        "left_out",
        sa.Column(
            "noted_at",
            instant,
            nullable=False,
            server_default=now,
            comment="when it was written down; forgotten by this",
        ),
    )
    op.drop_index("left_out_by_age", "left_out")
