"""All events of a visitor at once: for the live view when a row goes, and for visitor-days."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("events_by_visitor", "events", ["site_id", "visitor", "ts"])
