"""The revision of a database: which it is of, how a new one is marked, and how an older one is brought up to date.

Alembic (https://alembic.sqlalchemy.org) runs the revisions, within the caller's transaction. It is imported only for
that: a database of the newest revision is recognised without it.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, String, Table, inspect, select

if TYPE_CHECKING:
    from alembic.operations.ops import UpgradeOps

FOLDER = Path(__file__).parent
MARK = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""The table in which Alembic keeps the revision, as Alembic makes it."""
_ONE_AT_A_TIME = threading.Lock()
"""Alembic holds the migration at work in variables of its modules."""


@lru_cache
def revisions() -> tuple[str, ...]:
    """Return the known revisions, oldest first; the name of a revision's file begins with `r` and its number."""
    return tuple(sorted(path.name[1:5] for path in (FOLDER / "versions").glob("r[0-9]*.py")))


def revision_of(connection: Connection) -> str | None:
    """Return the revision of a database; None if none is recorded."""
    if not inspect(connection).has_table(MARK.name):
        return None
    return connection.scalar(select(MARK.c.version_num))


def create(connection: Connection, tables: MetaData) -> None:
    """Create all tables of a new database, which is then of the newest revision."""
    tables.create_all(connection)
    MARK.create(connection)
    connection.execute(MARK.insert().values(version_num=revisions()[-1]))


def upgrade(connection: Connection) -> None:
    """Run the revisions that a database lacks, all of them if none is recorded."""
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(str(FOLDER))
    with (
        _ONE_AT_A_TIME,
        EnvironmentContext(Config(), script, fn=lambda now, _: script._upgrade_revs("head", now)) as environment,
    ):
        environment.configure(connection=connection)
        environment.run_migrations()


def missing(connection: Connection, tables: MetaData) -> UpgradeOps:
    """Return what a revision has to do so that a database has the tables of the code; for a test."""
    from alembic.autogenerate import produce_migrations
    from alembic.runtime.migration import MigrationContext

    found = produce_migrations(MigrationContext.configure(connection), tables).upgrade_ops
    assert found is not None
    return found
