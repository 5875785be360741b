"""What holds for a version of a model: the threshold that was saved with it, and that it is retired."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add two columns."""
    for name in ("threshold", "retired"):
        op.add_column("models", sa.Column(name, sa.String, nullable=False, server_default=""))
