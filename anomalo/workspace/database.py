"""The tables of the workspace's database and its transactions; only `workspace` uses them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy import JSON, URL, Connection, Engine, NullPool, UniqueConstraint, create_engine, event, inspect, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from anomalo.errors import AnomaloError, ArtefactError, OutputError, UsageError
from anomalo.version import __version__

FILE = "anomalo.db"
OLDEST, FORMAT = 2, 2
"""The oldest format of workspaces that is read, and the one that is written; a database without one is older.

Tables may be added without a new format: a workspace gets them when it is next written.
"""
BUSY_SECONDS = 30
DONE = "done"
WRITING = "writing"
"""The status of an entry whose folder is incomplete: only its writer sees it."""
REMOVED = "removed"
"""The status of an entry whose folder was removed, or still is to be: its number is not given to another."""

_FAILURES = (DBAPIError, UnicodeDecodeError, json.JSONDecodeError)


class Table(DeclarativeBase):
    """The base of all tables."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {dict[str, Any]: JSON}


class Entry:
    """The columns that models and runs share; `path` is relative, so that a workspace can be moved."""

    source: Mapped[str]
    seconds: Mapped[float]
    summary: Mapped[dict[str, Any]]
    status: Mapped[str]
    created: Mapped[str]
    path: Mapped[str]


class ModelRow(Entry, Table):
    """One version of a saved model."""

    __tablename__ = "models"
    __table_args__ = (UniqueConstraint("name", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    version: Mapped[int]
    model: Mapped[str]
    plugin: Mapped[str]
    rows: Mapped[int]
    columns: Mapped[int]


class TagRow(Table):
    """A name for one version of a model."""

    __tablename__ = "tags"

    name: Mapped[str] = mapped_column(primary_key=True)
    tag: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]


class TagMoveRow(Table):
    """A tag that was given to a version, moved to another or removed; the number says in which order."""

    __tablename__ = "tag_moves"

    number: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    tag: Mapped[str]
    before: Mapped[int | None]
    after: Mapped[int | None]
    who: Mapped[str]
    created: Mapped[str]


class RunRow(Entry, Table):
    """One run."""

    __tablename__ = "runs"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    id: Mapped[str]
    verb: Mapped[str]
    model: Mapped[str | None]


class FormatRow(Table):
    """The format of the workspace: one row."""

    __tablename__ = "workspace"

    format: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class Database:
    """Short transactions on one database; no connection outlives its transaction.

    Parameters
    ----------
    workspace : Path
        The folder; named in messages, and created by the first `writing`.
    url : str or sqlalchemy.URL, optional
        Default: the SQLite file `anomalo.db` in the workspace.

    Raises
    ------
    UsageError
        The URL cannot be read, or its driver is not installed.
    """

    def __init__(self, workspace: Path, url: str | URL | None = None, busy_seconds: float = BUSY_SECONDS) -> None:
        self.workspace = workspace
        try:
            address = make_url(url or URL.create("sqlite", database=str(workspace / FILE)))
            self._engine = _engine(address, busy_seconds)
        except (ArgumentError, ImportError) as error:
            raise UsageError(
                f"the database's URL cannot be used: {_one_line(error)}; expected one such as "
                "postgresql+psycopg://host/name, and its driver installed"
            ) from error
        self._file = Path(address.database or "") if address.get_backend_name() == "sqlite" else None

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Open a transaction that holds SQLite's write lock from its start, so that each number is used once.

        Raises
        ------
        OutputError
            The workspace cannot be created or written, or the database cannot be reached.
        ArtefactError
            The database is damaged, or the workspace of another format.
        """
        engine = self._engine.execution_options(write=True)
        try:
            self.workspace.mkdir(parents=True, exist_ok=True)
            with Session(engine, expire_on_commit=False) as session, session.begin():
                new = not inspect(session.connection()).has_table(ModelRow.__tablename__)
                if not new:
                    self._require_format(session)
                Table.metadata.create_all(session.connection())
                if new:
                    session.add(FormatRow(format=FORMAT))
                yield session
        except OSError as error:
            raise error if isinstance(error, AnomaloError) else self._unusable(error) from error
        except _FAILURES as error:
            raise self._translated(error) from error

    @staticmethod
    def has(session: Session, table: type[Table]) -> bool:
        """Whether a table is there: one that was added later is not, until the workspace is written."""
        return inspect(session.connection()).has_table(table.__tablename__)

    @contextmanager
    def reading(self) -> Iterator[Session | None]:
        """Open a session, or yield None where nothing has been stored yet (and create nothing there).

        Raises
        ------
        OutputError
            The workspace is a file, or the database cannot be reached.
        ArtefactError
            The database is damaged, or the workspace of another format.
        """
        if self._is_new():
            yield None
            return
        try:
            with Session(self._engine) as session:
                exists = inspect(session.connection()).has_table(ModelRow.__tablename__)
                if exists:
                    self._require_format(session)
                yield session if exists else None
        except (*_FAILURES, TypeError, AttributeError) as error:  # values of the wrong type, or none at all
            raise self._translated(error) from error

    def _require_format(self, session: Session) -> None:
        known = inspect(session.connection()).has_table(FormatRow.__tablename__)
        found = session.scalar(select(FormatRow.format)) if known else None
        if found is not None and OLDEST <= found <= FORMAT:
            return
        newer = found is not None and found > FORMAT
        raise ArtefactError(
            f"{self.workspace}: a workspace of {'a newer' if newer else 'an older'} format than anomalo "
            f"{__version__} reads; {'update anomalo, or' if newer else 'fit the models again and'} "
            "give another folder (--workspace DIR)"
        )

    def _is_new(self) -> bool:
        # SQLite creates the file when it connects; while another process does so, it has no bytes yet.
        if self._file is None:
            return False
        try:
            return self._file.stat().st_size == 0
        except FileNotFoundError:
            return True
        except OSError as error:
            raise self._unusable(error) from error

    def _translated(self, error: Exception) -> AnomaloError:
        reason = getattr(error, "orig", None) or error
        if isinstance(error, IntegrityError):
            return OutputError(f"cannot write to the workspace {self.workspace}: {_one_line(reason)}; try again")
        # SQLite's "operational" errors include absent columns ("SQLITE_ERROR") and text that is not UTF-8 (no name).
        code = getattr(reason, "sqlite_errorname", "SQLITE_ERROR") if self._file else None
        if isinstance(error, OperationalError) and code != "SQLITE_ERROR":
            return self._unusable(reason)
        where = self._file or self._engine.url.render_as_string()
        return ArtefactError(
            f"{where}: the database is damaged or of another version of anomalo ({_one_line(reason)}); "
            "restore it from a copy or use another workspace"
        )

    def _unusable(self, error: BaseException) -> OutputError:
        reason = getattr(error, "strerror", None) or _one_line(error)
        return OutputError(
            f"cannot use the workspace {self.workspace}: {reason}; "
            "give a folder that can be written, on a disk with free space"
        )


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _engine(url: URL, busy_seconds: float) -> Engine:
    if url.get_backend_name() != "sqlite":
        return create_engine(url, poolclass=NullPool)
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": busy_seconds})
    event.listen(engine, "connect", _leave_transactions_to_us)
    event.listen(engine, "begin", _begin)
    return engine


def _leave_transactions_to_us(connection: Any, _record: Any) -> None:
    # The driver would begin late, and leave CREATE TABLE outside of the transaction.
    connection.isolation_level = None


def _begin(connection: Connection) -> None:
    write = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
