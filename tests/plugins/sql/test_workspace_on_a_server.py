"""A workspace whose models and runs a database server lists."""

from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine, text

from anomalo.workspace.database import Table
from anomalo.workspace.migrations import schema
from anomalo.workspace.workspace import Workspace

OLDER = """DROP TABLE alembic_version; DROP TABLE activity; DROP TABLE decisions;
ALTER TABLE models DROP COLUMN who, DROP COLUMN threshold, DROP COLUMN retired; ALTER TABLE runs DROP COLUMN who"""


@pytest.mark.slow
def test_the_first_use_upgrades_it(postgresql: str, tmp_path: Path) -> None:
    server = postgresql.replace("postgresql:", "postgresql+psycopg:")
    with create_engine(server, isolation_level="AUTOCOMMIT", poolclass=NullPool).connect() as connection:
        connection.execute(text("CREATE DATABASE older"))  # without the tables of other tests
    url = f"{server.rpartition('/')[0]}/older"
    engine, store = create_engine(url, poolclass=NullPool), Workspace(tmp_path, url)
    with engine.begin() as connection:
        schema.upgrade(connection)
        assert schema.missing(connection, Table.metadata).is_empty()
        Table.metadata.drop_all(connection)
        schema.MARK.drop(connection)
    assert store.runs() == []
    store.add_run("score", lambda folder: None, model=None, source="")
    with engine.begin() as connection:
        assert schema.missing(connection, Table.metadata).is_empty()
        connection.execute(text(OLDER))
    assert [(run.id, run.who) for run in store.runs()] == [("0001-score", "")]
    store.tag_moves("m")
    with engine.connect() as connection:
        assert schema.revision_of(connection) == schema.revisions()[-1]
        assert schema.missing(connection, Table.metadata).is_empty()
