"""What people decide about the cells that runs suggest to change."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add a table."""
    op.create_table(
        "decisions",
        sa.Column("action", sa.Integer, primary_key=True),
        *(sa.Column(name, sa.String, nullable=False) for name in ("run", "what")),
        sa.Column("value", sa.String),
        sa.Column("lines", sa.LargeBinary, nullable=False),
        *(sa.Column(name, sa.String, nullable=False) for name in ("who", "created", "undone")),
    )
    op.create_index("ix_decisions_run", "decisions", ["run"])
