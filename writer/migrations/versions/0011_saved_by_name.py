"""What owners save by name: goals, segments, exclusions, bot patterns."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)
_NOW = sa.text("now()")


def upgrade() -> None:
    op.create_table(
        "goal",
        sa.Column("goal_id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False, comment="as event:goal calls it"),
        sa.Column("filters", JSONB(), nullable=False, comment="an event that matches is one"),
        sa.Column("created_at", _INSTANT, nullable=False, server_default=_NOW),
        sa.PrimaryKeyConstraint("goal_id"),
        sa.UniqueConstraint("site_id", "name"),
    )
    op.create_table(
        "segment",
        sa.Column("segment_id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("filters", JSONB(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False, server_default=_NOW),
        sa.PrimaryKeyConstraint("segment_id"),
        sa.UniqueConstraint("site_id", "name"),
    )
    op.create_table(
        "exclusion",
        sa.Column("exclusion_id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("filters", JSONB(), nullable=False, comment="what matches is in no answer"),
        sa.Column("created_at", _INSTANT, nullable=False, server_default=_NOW),
        sa.PrimaryKeyConstraint("exclusion_id"),
        sa.UniqueConstraint("site_id", "name"),
    )
    op.create_table(
        "bot_pattern",
        sa.Column("pattern_id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("site_id", sa.Integer(), comment="null: every site of the installation"),
        sa.Column("name", sa.Text(), nullable=False, comment="the rule that its events name"),
        sa.Column("kind", sa.Text(), nullable=False, comment="user_agent or network"),
        sa.Column("pattern", sa.Text(), nullable=False),
        sa.Column(
            "allows",
            sa.Boolean(),
            nullable=False,
            server_default=sa.text("false"),
            comment="what matches is no robot, whatever the packaged list says",
        ),
        sa.Column("valid_from", _INSTANT, nullable=False, server_default=_NOW),
        sa.Column("valid_until", _INSTANT, comment="null: in force"),
        sa.PrimaryKeyConstraint("pattern_id"),
        comment="read as of an envelope's received_at, as settings are",
    )
    # What the writers know of sites they read again when this version grows.
    op.execute(
        "CREATE TRIGGER count_snapshot_version"
        " AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON bot_pattern"
        " FOR EACH STATEMENT EXECUTE FUNCTION count_snapshot_version()"
    )
