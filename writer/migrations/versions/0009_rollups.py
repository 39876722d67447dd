"""Rollups: sums per site and day, and per hour, that the stage keeps true."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_SUMS = (
    "visitors",
    "visits",
    "pageviews",
    "events",
    "views",
    "bounced",
    "lasted_ms",
    "engaged_ms",
    "engaged_visits",
    "scroll_pct",
    "scroll_visits",
)
_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "rollup_day",
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("dimension", sa.Text(), nullable=False, comment="empty: the site's totals"),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="of the value"),
        sa.Column("value", sa.Text(), nullable=False),
        *_sums(),
        sa.PrimaryKeyConstraint("site_id", "dimension", "day", "digest"),
        comment="by site-local day, dimension and value",
    )
    op.create_table(
        "rollup_hour",
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("dimension", sa.Text(), nullable=False, comment="empty: the site's totals"),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("hour", sa.SmallInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="of the value"),
        sa.Column("value", sa.Text(), nullable=False),
        *_sums(),
        sa.PrimaryKeyConstraint("site_id", "dimension", "day", "hour", "digest"),
        comment="by site-local hour: totals and event names",
    )
    op.create_table(
        "rollup_left_out",
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("dimension", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "day", "dimension"),
        comment="dimensions with too many values on a day to be rolled up",
    )
    op.create_table(
        "rollup_props",
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("keys", sa.ARRAY(sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "day"),
        comment="which declared props are rolled up of a day, since its first event",
    )
    op.create_table(
        "rollup_progress",
        sa.Column("one", sa.Boolean(), nullable=False, server_default=sa.text("true")),
        sa.Column(
            "commit_no",
            sa.BigInteger(),
            nullable=False,
            server_default=sa.text("0"),
            comment="the rollups hold for this commit",
        ),
        sa.Column("looked_at", _INSTANT, comment="when the stage last looked for more"),
        sa.PrimaryKeyConstraint("one"),
        sa.CheckConstraint("one", name="one_row"),
        comment="how far the stage has come",
    )
    op.execute("INSERT INTO rollup_progress DEFAULT VALUES")
    # A row of today is updated again and again: with room beside it, in place.
    op.execute("ALTER TABLE rollup_day SET (fillfactor = 70)")
    op.execute("ALTER TABLE rollup_hour SET (fillfactor = 70)")
    op.add_column(
        "site_day",
        sa.Column(
            "touched",
            sa.BigInteger(),
            nullable=False,
            server_default=sa.text("0"),
            comment="the last commit, up to rollup_progress, that changed a row of the day",
        ),
    )


def _sums() -> list[sa.Column[int]]:
    zero = sa.text("0")
    return [sa.Column(name, sa.BigInteger(), nullable=False, server_default=zero) for name in _SUMS]
