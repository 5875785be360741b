"""The tables of format 2; workspaces that were written before revisions were recorded have all or some of them."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create what is not there yet."""
    _create("workspace", _number("format", counted=False))
    _create(
        "models",
        _number("id"),
        *_texts("name"),
        sa.Column("version", sa.Integer, nullable=False),
        *_texts("model", "plugin"),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("columns", sa.Integer, nullable=False),
        *_entry(),
        sa.UniqueConstraint("name", "version"),
    )
    _create(
        "runs",
        _number("number", counted=False),
        *_texts("id", "verb"),
        sa.Column("model", sa.String),
        *_entry(),
    )
    _create(
        "tags",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("tag", sa.String, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
    )
    moved = (sa.Column("before", sa.Integer), sa.Column("after", sa.Integer))
    _create("tag_moves", _number("number"), *_texts("name", "tag"), *moved, *_texts("who", "created"))
    _create(
        "reviews",
        _number("number"),
        sa.Column("action", sa.Integer, nullable=False),
        *_texts("run"),
        sa.Column("row", sa.Integer, nullable=False),
        *_texts("part", "value", "who", "created", "undone"),
    )
    for column in ("action", "run"):
        op.create_index(f"ix_reviews_{column}", "reviews", [column], if_not_exists=True)


def _create(name: str, *parts: sa.schema.SchemaItem) -> None:
    op.create_table(name, *parts, if_not_exists=True)


def _number(name: str, counted: bool = True) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, primary_key=True, autoincrement="auto" if counted else False)


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.String, nullable=False) for name in names]


def _entry() -> list[sa.Column[Any]]:
    numbers = [sa.Column("seconds", sa.Double, nullable=False), sa.Column("summary", sa.JSON, nullable=False)]
    return [*_texts("source"), *numbers, *_texts("status", "created", "path")]
