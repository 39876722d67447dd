"""Losses that an operator has looked into, with who accepted them and what they were."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import INT8MULTIRANGE

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "boot",
        sa.Column(
            "accepted",
            INT8MULTIRANGE(),
            server_default=sa.text("'{}'::int8multirange"),
            nullable=False,
            comment="lost numbers that an operator has looked into",
        ),
    )
    op.add_column(
        "boot",
        sa.Column(
            "accepted_events",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="events of the batches in accepted",
        ),
    )
    op.create_table(
        "accepted_loss",
        sa.Column("loss_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("edge", sa.Text(), nullable=False),
        sa.Column("boot", sa.BigInteger(), nullable=False),
        sa.Column("numbers", INT8MULTIRANGE(), nullable=False),
        sa.Column("batches", sa.BigInteger(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "accepted_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("accepted_by", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("loss_id"),
        comment="what was lost for ever, received between since and until, and who said so",
    )
