"""Older workspaces are read as they are and upgraded by the first write; the revisions make the tables of the code."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import render_python_code
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, NullPool, create_engine, inspect

from anomalo.errors import ArtefactError
from anomalo.workspace import sqlite
from anomalo.workspace.database import Table
from anomalo.workspace.migrations import schema
from anomalo.workspace.workspace import Workspace

HERE = Path(__file__).parent
KEPT = sorted(path.stem for path in HERE.glob("*.sql"))
"""Databases as text: `sqlite3 anomalo.db .dump`. `format-2` is of before revisions were recorded."""
ADVICE = """The tables of the code and the revisions differ. Add a file r{next:04}_NAME.py to \
anomalo/workspace/migrations/versions, with revision = "{next:04}", down_revision = "{last}" and

def upgrade() -> None:
    {code}
"""


@pytest.fixture
def database(tmp_path: Path) -> Engine:
    return create_engine(f"sqlite:///{tmp_path / 'a.db'}", poolclass=NullPool)


@pytest.fixture
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A workspace whose database is made of a text."""
    folder = tmp_path / "old"
    folder.mkdir()
    with closing(sqlite3.connect(folder / "anomalo.db")) as connection:
        connection.executescript((HERE / f"{request.param}.sql").read_text())
    return folder


def shape(engine: Engine) -> dict[str, Any]:
    """What can be asked of the tables: columns without their order, keys and indices."""
    seen = inspect(engine)

    def column(facts: Any) -> tuple[Any, ...]:
        return (str(facts["type"]), facts["nullable"], str(facts["default"]).strip("'").split("'::")[0])

    return {
        name: (
            {facts["name"]: column(facts) for facts in seen.get_columns(name) if not facts.get("identity")},
            seen.get_pk_constraint(name)["constrained_columns"],
            sorted(facts["column_names"] for facts in seen.get_unique_constraints(name)),
            sorted((facts["name"], facts["column_names"]) for facts in seen.get_indexes(name)),
        )
        for name in seen.get_table_names()
    }


def test_the_revisions_make_the_tables_of_the_code(database: Engine) -> None:
    with database.begin() as connection:
        schema.upgrade(connection)
        missing = schema.missing(connection, Table.metadata)
    last = schema.revisions()[-1]
    code = "" if missing.is_empty() else render_python_code(missing)
    assert missing.is_empty(), ADVICE.format(next=int(last) + 1, last=last, code=code)


def test_a_new_database_is_as_an_upgraded_one(database: Engine, tmp_path: Path) -> None:
    with database.begin() as connection:
        schema.upgrade(connection)
    new = create_engine(f"sqlite:///{tmp_path / 'new.db'}", poolclass=NullPool)
    with new.begin() as connection:
        schema.create(connection, Table.metadata)
    assert shape(new) == shape(database)


def test_the_revisions_are_a_chain_in_the_order_of_their_files() -> None:
    script = ScriptDirectory(str(schema.FOLDER))
    assert tuple(step.revision for step in script.walk_revisions())[::-1] == schema.revisions()


@pytest.mark.parametrize("old", KEPT, indirect=True)
def test_an_older_workspace_is_read_as_it_is(old: Path) -> None:
    before, store = (old / "anomalo.db").read_bytes(), Workspace(old)
    for _ in range(2):
        assert [model.reference for model in store.models()] == ["small@1"]
        assert [(run.id, run.summary["alerts"]) for run in store.runs()] == [("0001-score", 3)]
        assert [(move.tag, move.who) for move in store.tag_moves("small")] == [("champion", "ann")]
        assert store.reviews.of("0001-score")[4].state == "false alarm"
    assert (old / "anomalo.db").read_bytes() == before
    assert [path.name for path in old.iterdir()] == ["anomalo.db"]


@pytest.mark.parametrize("old", KEPT, indirect=True)
def test_the_first_write_upgrades_it(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANOMALO_USER", "bob")
    store = Workspace(old)
    assert len(store.models()) == 1
    store.tag("small@1", "live")
    assert [(line.who, line.action, line.subject, line.details) for line in store.activity(1)] == [
        ("bob", "tag", "small@1", "live")
    ]
    assert store.model("small").tags == ("champion", "live")
    assert store.add_run("score", lambda folder: None, model=None, source="").who == "bob"
    engine = create_engine(f"sqlite:///{old / 'anomalo.db'}", poolclass=NullPool)
    with engine.connect() as connection:
        assert schema.revision_of(connection) == schema.revisions()[-1]
        assert schema.missing(connection, Table.metadata).is_empty()


@pytest.mark.parametrize("old", ["format-2"], indirect=True)
def test_an_upgrade_that_fails_changes_nothing(old: Path) -> None:
    with closing(sqlite3.connect(old / "anomalo.db")) as connection:
        connection.execute("ALTER TABLE runs RENAME COLUMN model TO kind")
        connection.execute("CREATE TABLE activity (mine)")
        before = list(connection.iterdump())
    with pytest.raises(ArtefactError, match="activity already exists"):
        Workspace(old).prepare()
    with closing(sqlite3.connect(old / "anomalo.db")) as connection:
        assert list(connection.iterdump()) == before


def test_a_workspace_of_an_unknown_revision_is_refused(tmp_path: Path) -> None:
    store = Workspace(tmp_path)
    store.prepare()
    with closing(sqlite3.connect(tmp_path / "anomalo.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    for action in (store.models, store.prepare):
        with pytest.raises(ArtefactError, match=r"a workspace of a newer format than .*; update anomalo, or") as caught:
            action()
        assert "\n" not in str(caught.value)


def test_a_current_workspace_does_without_alembic(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib; from anomalo.workspace.workspace import Workspace\n"
        "store = Workspace(pathlib.Path(sys.argv[1])); store.prepare(); store.models()\n"
        "sys.exit('alembic' in sys.modules)"
    )
    for _ in range(2):
        assert subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False).returncode == 0


@pytest.mark.parametrize("kept", [False, True])
def test_a_file_is_written_ahead_where_its_file_system_is_a_local_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    def journal() -> str:
        with closing(sqlite3.connect(tmp_path / "w" / "anomalo.db")) as connection:
            return str(connection.execute("PRAGMA journal_mode").fetchone()[0])

    mounts = tmp_path / "mounts"
    monkeypatch.setattr(sqlite, "MOUNTS", mounts)
    expected = []
    for kind in ("ext4", "nfs4", "ext4", "cifs"):
        mounts.write_text(f"1 0 8:1 / / rw - xfs /dev/a rw\n2 1 8:2 / {tmp_path} rw shared:1 - {kind} /dev/b rw\n")
        store = Workspace(tmp_path / "w")
        if not kept:
            shutil.rmtree(tmp_path / "w", ignore_errors=True)
        store.prepare()
        expected.append("wal" if kind == "ext4" else "delete")
        assert journal() == expected[-1]
        assert store.models() == []
        assert [path.name for path in (tmp_path / "w").iterdir()] == ["anomalo.db"], "it is whole in one file at rest"
    mounts.unlink()
    assert sqlite.journal_for(tmp_path) == "delete"


def test_what_a_killed_writer_left_in_its_log_is_read(tmp_path: Path) -> None:
    script = (
        "import os, sqlite3, sys, pathlib; from anomalo.workspace.workspace import Workspace\n"
        "folder = pathlib.Path(sys.argv[1]); store = Workspace(folder); store.prepare()\n"
        "other = sqlite3.connect(folder / 'anomalo.db'); other.execute('select * from runs').fetchall()\n"
        "store.reviews.change('0001-score', [1], 'ann', state='fixed'); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False).returncode == 9
    assert (tmp_path / "anomalo.db-wal").stat().st_size > 0
    copied = shutil.copytree(tmp_path, tmp_path.with_name("copied"))
    for folder in (tmp_path, copied):
        assert Workspace(folder).reviews.of("0001-score")[1].state == "fixed"
        assert sorted(path.name for path in folder.iterdir() if path.is_file()) == ["anomalo.db"]
