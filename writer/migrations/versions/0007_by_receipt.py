"""One event by its receipt, however many there are."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("events_by_receipt", "events", ["event_id"])
