"""Write a table to a database, in one transaction."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import sqlalchemy
from sqlalchemy import Column, Connection, Inspector, MetaData, Table
from sqlalchemy.sql.elements import quoted_name

from anomalo.errors import OutputError, SourceError, UsageError
from anomalo.plugin import Delivery
from anomalo_sql.address import SqlAddress
from anomalo_sql.connections import engine_of, failures
from anomalo_sql.inserting import insert
from anomalo_sql.types import sql_type

_MODE = re.compile(r"(?P<table>.+)\?mode=(?P<mode>\w*)", re.DOTALL)
_MODES = ("create", "append", "replace")
_NOTES = Table("anomalo_jobs", MetaData(), Column("job", sqlalchemy.Text()))


@dataclass(frozen=True)
class SqlTable:
    """A table of a database to write.

    Attributes
    ----------
    address : SqlAddress
        The database and the table's name.
    mode : {"create", "append", "replace"}
        What there may be before: no such table; one with the same columns, to which rows are added; or any, which is
        dropped.
    delivery : Delivery, optional
        The job that writes it: a row of the table `anomalo_jobs` notes it, in the same transaction, until it is
        recorded.
    """

    address: SqlAddress
    mode: str
    delivery: Delivery | None = None

    @classmethod
    def parse(cls, target: str) -> SqlTable | None:
        """Return the table that a text names; None if it names none of a database.

        Raises
        ------
        UsageError
            It is a query, or its mode is not known.
        """
        try:
            address = SqlAddress.parse(target)
        except SourceError as error:
            raise UsageError(f"{error}".replace(", or a query", "")) from None
        if address is None:
            return None
        match = _MODE.fullmatch(address.what)
        mode = match["mode"] if match else "create"
        if mode not in _MODES:
            raise UsageError(f"{address}: mode {mode!r}; expected one of: {', '.join(_MODES)}")
        if address.is_query:
            raise UsageError(f"{address}: a query cannot be written to; give the name of a table")
        return cls(SqlAddress(address.url, match["table"] if match else address.what), mode)

    def check(self) -> None:
        """Check that the database can be reached, and what there is.

        Raises
        ------
        OutputError
            It cannot, or there is a table of this name already and the mode is "create".
        """
        with self._connected() as connection:
            if not self._is_written(connection):
                self._require_allowed(sqlalchemy.inspect(connection))

    @contextmanager
    def writer(self, like: pa.Schema | None) -> Iterator[_Rows]:
        """Yield what takes the rows, in a temporary file; at the end of the block they are written in one transaction.

        The database is not held while a long job computes, and a table may be written to the database that it is
        read from.

        Raises
        ------
        OutputError
            The rows cannot be written; then none is.
        """
        with tempfile.TemporaryFile(prefix="anomalo-") as file:
            rows = _Rows(file, like)
            yield rows
            rows.close()
            if not rows.schema.names:
                raise OutputError(f"cannot write {self.address}: there are no columns")
            file.seek(0)
            with self._connected() as connection:
                if not self._is_written(connection):
                    self._write(connection, rows.schema, pa.ipc.open_stream(file))
                    self._note(connection)
                    connection.commit()

    def once(self, delivery: Delivery) -> SqlTable:
        """Return the output for a job."""
        return replace(self, delivery=delivery)

    def forget(self) -> None:
        """Remove the note of the job, and the table of notes if it was the only one.

        Raises
        ------
        OutputError
            The database cannot be reached.
        """
        with self._connected() as connection:
            connection.execute(_NOTES.delete().where(_NOTES.c.job == self._job))
            if connection.execute(sqlalchemy.select(_NOTES)).first() is None:
                _NOTES.drop(connection)
            connection.commit()

    @property
    def _job(self) -> str:
        assert self.delivery is not None, "only a job has a note"
        return f"{self.delivery.job} {self.address.what}"

    def _is_written(self, connection: Connection) -> bool:
        resumed = self.delivery is not None and self.delivery.resumed
        if not resumed or not sqlalchemy.inspect(connection).has_table(_NOTES.name):
            return False
        found = sqlalchemy.select(_NOTES).where(_NOTES.c.job == self._job)
        return connection.execute(found).first() is not None

    def _note(self, connection: Connection) -> None:
        if self.delivery is not None:
            _NOTES.create(connection, checkfirst=True)
            connection.execute(_NOTES.delete().where(_NOTES.c.job == self._job))
            connection.execute(_NOTES.insert().values(job=self._job))

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        try:
            engine = engine_of(self.address, reads=False)
        except SourceError as error:
            raise OutputError(str(error)) from error
        with failures(self.address, OutputError), engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")  # else creating a table would be a transaction of its own
            yield connection

    def _require_allowed(self, inspector: Inspector) -> bool:
        """Return whether the table exists."""
        exists = inspector.has_table(*self._name)
        if exists and self.mode == "create":
            raise OutputError(
                f"{self.address} exists already; add ?mode=append to add rows to it, or ?mode=replace to drop it before"
            )
        return exists

    @property
    def _name(self) -> tuple[str, str | None]:
        schema, _, name = self.address.what.partition(".")
        return (name, schema) if name else (schema, None)

    def _write(self, connection: Connection, schema: pa.Schema, batches: pa.RecordBatchReader) -> None:
        exists = self._require_allowed(sqlalchemy.inspect(connection))
        table = self._table(schema, connection.dialect.name)
        if exists and self.mode == "append":
            self._require_same_columns(connection, schema)
        else:
            if exists:
                table.drop(connection)
            table.create(connection)
        for batch in batches:
            insert(connection, table, batch)

    def _table(self, schema: pa.Schema, dialect: str) -> Table:
        name, above = self._name
        columns = [
            # A key of our own, as names may hold what a parameter's name may not.
            Column(quoted_name(field.name, quote=True), sql_type(field.type, dialect), key=f"c{at}")
            for at, field in enumerate(schema)
        ]
        return Table(
            quoted_name(name, quote=True), MetaData(), *columns, schema=above and quoted_name(above, quote=True)
        )

    def _require_same_columns(self, connection: Connection, schema: pa.Schema) -> None:
        name, above = self._name
        nothing = sqlalchemy.select(sqlalchemy.text("*")).select_from(sqlalchemy.table(name, schema=above)).limit(0)
        known = list(connection.execute(nothing).keys())
        for column in schema.names:
            if column not in known:
                raise OutputError(f"{self.address} has no column {column!r}; its columns are: {', '.join(known)}")


class _Rows:
    """Keeps rows in a file."""

    def __init__(self, file: Any, like: pa.Schema | None) -> None:
        self._file, self.schema = file, pa.schema([]) if like is None else _plain(like)
        self._writer: Any = None

    def write(self, batch: pa.RecordBatch) -> None:
        """Append a batch."""
        if self._writer is None:
            self._open(batch.schema)
        self._writer.write_batch(batch.cast(self.schema) if batch.schema != self.schema else batch)

    def close(self) -> None:
        """Complete the file."""
        if self._writer is None:
            self._open(self.schema)
        self._writer.close()

    def _open(self, schema: pa.Schema) -> None:
        self.schema = _plain(schema)
        self._writer = pa.ipc.new_stream(self._file, self.schema)


def _plain(schema: pa.Schema) -> pa.Schema:
    return pa.schema(
        [
            (field.name, getattr(field.type, "value_type", field.type))
            if pa.types.is_dictionary(field.type)
            else (field.name, field.type)
            for field in schema
        ]
    )
