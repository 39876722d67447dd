"""Up to when all that a boot received was known to be stored."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "boot",
        sa.Column(
            "final_until",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="all that it received before is stored",
        ),
    )
