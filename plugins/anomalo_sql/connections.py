"""Connections to databases, and what their errors mean in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import URL, Connection, Engine
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from anomalo.errors import AnomaloError, SourceError, without_passwords
from anomalo_sql.address import SqlAddress

_DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
_OURS = ("postgresql", "duckdb", "sqlite")
_FILES = ("sqlite", "duckdb")
_SECONDS = 15


def engine_of(address: SqlAddress, *, reads: bool) -> Engine:
    """Return the engine of a database, which connects when it is asked to.

    Parameters
    ----------
    address : SqlAddress
        The table or query.
    reads : bool
        Only read: a file must exist then, and is opened so that nothing can be written.

    Raises
    ------
    SourceError
        The URL cannot be read, its driver is not installed, or there is no such file.
    """
    try:
        url = sqlalchemy.make_url(address.url)
        url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
        dialect = url.get_backend_name()
        if reads and dialect in _FILES:
            _require_file(address, url)
        return sqlalchemy.create_engine(url, poolclass=NullPool, connect_args=_arguments(dialect, url, reads))
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise SourceError(_missing_driver(address)) from error
    except SourceError:
        raise
    except (ArgumentError, ValueError) as error:
        reason = "expected a URL such as postgresql://user@host/database or sqlite:///file.db"
        raise SourceError(f"{address} is not the URL of a database; {reason}") from error


def _missing_driver(address: SqlAddress) -> str:
    name = address.url.partition("://")[0]
    known = name.partition("+")[0] in (*_OURS, "postgres")
    advice = 'python -m pip install "anomalo-engine[sql]"' if known else "install one that SQLAlchemy knows"
    return f"{address}: no driver for {name} is installed; {advice}"


def _arguments(dialect: str, url: URL, reads: bool) -> dict[str, Any]:
    if dialect == "sqlite":
        return {"check_same_thread": False}  # batches are read ahead, in another thread
    if dialect == "duckdb":
        # A file that is no database would make it fetch an extension that reads it.
        return {"read_only": reads, "config": {"autoinstall_known_extensions": "false"}}
    if dialect == "postgresql" and "connect_timeout" not in url.query:
        return {"connect_timeout": _SECONDS}
    return {}


def _require_file(address: SqlAddress, url: URL) -> None:
    # A driver would create it.
    if not url.database or not Path(url.database).is_file():
        raise SourceError(f"{address}: no such file: {url.database or ':memory:'}")


@contextmanager
def failures(address: SqlAddress, kind: type[AnomaloError]) -> Iterator[None]:
    """Raise what a database says inside as an error of one line.

    Parameters
    ----------
    address : SqlAddress
        What the error names.
    kind : type of AnomaloError
        What is raised.
    """
    try:
        yield
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).strip()
        first = reason.splitlines()[0] if reason else type(error).__name__
        raise kind(f"{address}: {without_passwords(first, address.url)}") from error


@contextmanager
def reading(address: SqlAddress) -> Iterator[Connection]:
    """Connect to read: nothing is written, and what is read is the database at one moment, where it has that.

    Raises
    ------
    SourceError
        It cannot be reached, or what is done inside fails there.
    """
    engine = engine_of(address, reads=True)
    with failures(address, SourceError), engine.connect() as connection:
        dialect = connection.dialect.name
        if dialect == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        elif dialect == "sqlite":
            connection.exec_driver_sql("PRAGMA query_only = ON")
            connection.exec_driver_sql("BEGIN")
        try:
            yield connection
        finally:
            connection.rollback()
