"""The tables of the workspace's database and its transactions; only `workspace` uses them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy import JSON, URL, Connection, NullPool, UniqueConstraint, create_engine, inspect, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from anomalo.errors import AnomaloError, ArtefactError, OutputError, UsageError
from anomalo.version import __version__
from anomalo.workspace import sqlite
from anomalo.workspace.migrations import schema

FILE = "anomalo.db"
OLDEST, FORMAT = 2, 2
"""The oldest format of workspaces that is read, and the one that is written; a database without one is older.

Within a format, revisions (`migrations`) add tables and columns: a workspace gets them when it is next written.
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
    who: Mapped[str] = mapped_column(server_default="")


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
    threshold: Mapped[str] = mapped_column(server_default="")
    retired: Mapped[str] = mapped_column(server_default="")


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
            local = address.get_backend_name() == "sqlite"
            self._engine = sqlite.engine(address, busy_seconds) if local else create_engine(address, poolclass=NullPool)
        except (ArgumentError, ImportError) as error:
            raise UsageError(
                f"the database's URL cannot be used: {_one_line(error)}; expected one such as "
                "postgresql+psycopg://host/name, and its driver installed"
            ) from error
        self._file = Path(address.database or "") if local else None

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
                known = self._is_current(session.connection())
                if known is None:
                    schema.create(session.connection(), Table.metadata)
                    session.add(FormatRow(format=FORMAT))
                elif not known:
                    schema.upgrade(session.connection())
                yield session
        except OSError as error:
            raise error if isinstance(error, AnomaloError) else self._unusable(error) from error
        except _FAILURES as error:
            raise self._translated(error) from error

    @contextmanager
    def reading(self) -> Iterator[Session | None]:
        """Open a session, or yield None where nothing has been stored yet (and create nothing there).

        A file of an older revision is not changed: what is read is a copy that was brought up to date. A database
        server is brought up to date by who first uses it.

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
            with self._opened() as (session, known):
                if known is None:
                    yield None
                elif known:
                    yield session
                else:
                    with self._upgraded(session) as newer:
                        yield newer
        except (*_FAILURES, TypeError, AttributeError) as error:  # values of the wrong type, or none at all
            raise self._translated(error) from error

    @contextmanager
    def _opened(self) -> Iterator[tuple[Session, bool | None]]:
        """Open a session to read, and say whether the database is current."""
        with Session(self._engine) as session:
            try:
                known = self._is_current(session.connection())
            except OperationalError as error:
                if self._file is None or not sqlite.is_only_readable(self._file, error):
                    raise
            else:
                yield session, known
                return
        with Session(sqlite.frozen(self._file)) as session:
            yield session, self._is_current(session.connection())

    def _upgraded(self, session: Session) -> Session:
        if self._file is not None:
            return Session(sqlite.upgraded(self._file, session.connection(), schema.upgrade))
        session.close()
        with self.writing():
            return Session(self._engine)

    def _is_current(self, connection: Connection) -> bool | None:
        """Whether the database is of the newest revision; None if nothing has been stored yet.

        Raises
        ------
        ArtefactError
            It is of a format or revision that this version does not know.
        """
        tables = inspect(connection)
        if not tables.has_table(ModelRow.__tablename__):
            return None
        marked = tables.has_table(FormatRow.__tablename__)
        found = connection.scalar(select(FormatRow.format)) if marked else None
        if found is None or found < OLDEST:
            raise self._refused("an older", "fit the models again and")
        revision, known = schema.revision_of(connection), schema.revisions()
        if found > FORMAT or revision not in (None, *known):
            raise self._refused("a newer", "update anomalo, or")
        return revision == known[-1]

    def _refused(self, which: str, advice: str) -> ArtefactError:
        return ArtefactError(
            f"{self.workspace}: a workspace of {which} format than anomalo {__version__} reads; {advice} "
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
