"""Who made each model and run, and who did what."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add a column to the entries, and a table."""
    for entries in ("models", "runs"):
        op.add_column(entries, sa.Column("who", sa.String, nullable=False, server_default=""))
    op.create_table(
        "activity",
        sa.Column("number", sa.Integer, primary_key=True),
        *(sa.Column(name, sa.String, nullable=False) for name in ("created", "who", "action", "subject", "details")),
    )
