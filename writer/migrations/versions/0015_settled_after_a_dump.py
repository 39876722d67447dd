"""Commits of another cluster have settled: a dump brings their transaction ids along, and here
these would be of the future for months."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Whatever is visible was made by a transaction below xmax, if it was made here.
    op.execute("""
CREATE OR REPLACE FUNCTION settled() RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT coalesce((
        SELECT commit_no FROM commits, pg_current_snapshot() now
        WHERE xid < pg_snapshot_xmin(now) OR xid >= pg_snapshot_xmax(now)
        ORDER BY commit_no DESC LIMIT 1
    ), 0)
$$
""")
