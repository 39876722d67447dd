"""Which file holds which closed site-day."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "archive_file",
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column(
            "commit_no", sa.BigInteger(), nullable=False, comment="the file holds for this commit"
        ),
        sa.Column("version", sa.Integer(), nullable=False, comment="of the day's file, from 1"),
        sa.Column("definition", sa.Integer(), nullable=False, comment="of the file's columns"),
        sa.Column("path", sa.Text(), nullable=False, comment="within the archive's folder"),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column(
            "written_at", _INSTANT, nullable=False, server_default=sa.text("clock_timestamp()")
        ),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False, comment="as it was last verified"),
        sa.Column(
            "steady",
            sa.ARRAY(sa.Text()),
            nullable=False,
            comment="columns in which every event has what its visit has",
        ),
        sa.Column("verified_at", _INSTANT, comment="when its bytes were last read"),
        sa.Column("fault", sa.Text(), comment="missing, cut or altered; null: it agreed"),
        sa.PrimaryKeyConstraint("site_id", "day"),
        comment="the current Parquet file of each archived site-day",
    )
