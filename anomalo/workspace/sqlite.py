"""SQLite's side of the workspace's database: its journal, folders that cannot be written, and copies in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event
from sqlalchemy.exc import OperationalError

MOUNTS = Path("/proc/self/mountinfo")
LOCAL = frozenset(
    ("bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "jfs", "ntfs", "ntfs3", "overlay", "ramfs")
    + ("reiserfs", "tmpfs", "vfat", "xfs", "zfs")
)
"""File systems that one machine alone uses. Readers and writers of a write-ahead log share memory, which machines that
mount a network drive do not: https://sqlite.org/wal.html."""
WAL, ROLLBACK = "wal", "delete"
VERSIONS = slice(18, 20)
"""Bytes of the file's header that say how it is written: 1 with a rollback journal, 2 with a write-ahead log
(https://sqlite.org/fileformat.html)."""
_copies: dict[tuple[Path, object], bytes] = {}
"""The last copy that was brought up to date: a page that shows an old workspace reads it again and again."""


def engine(url: URL, busy_seconds: float) -> Engine:
    """Return the engine of a database file; transactions with the option `write` have its lock from their start."""
    made = create_engine(url, poolclass=NullPool, connect_args={"timeout": busy_seconds})
    return _with_events(made, journal_for(Path(url.database or "").absolute().parent))


def frozen(file: Path) -> Engine:
    """Return an engine that reads a file which nobody changes: it takes no lock and makes no file beside it."""
    address = f"{file.absolute().as_uri()}?immutable=1"
    return _reader(partial(sqlite3.connect, address, uri=True, check_same_thread=False))


def is_only_readable(file: Path, error: OperationalError) -> bool:
    """Whether a file could not be opened because its folder cannot be written, where a write-ahead log would be."""
    name = getattr(error.orig, "sqlite_errorname", "")
    beside = file.with_name(f"{file.name}-wal")
    return name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")) and not beside.exists() and file.is_file()


def upgraded(file: Path, opened: Connection, upgrade: Callable[[Connection], None]) -> Engine:
    """Return an engine of a copy in memory, brought up to date; the opened file stays as it is."""
    key = (file, _stamp(file))
    content = _copies.get(key)
    if content is None:
        content = _copy(_driver(opened), upgrade)
        _copies.clear()
        _copies[key] = content
    return _reader(partial(_in_memory, content))


def journal_for(folder: Path) -> str:
    """Return how a database in a folder is to be written: by a write-ahead log if its file system is a local one."""
    try:
        return WAL if file_system(folder, MOUNTS.read_text()) in LOCAL else ROLLBACK
    except OSError:  # no Linux, or no such table
        return ROLLBACK


def file_system(folder: Path, mounts: str) -> str:
    """Return the kind of a folder's file system by Linux's table of mounts (man 5 proc, mountinfo).

    Examples
    --------
    >>> table = "1 0 8:1 / / rw - ext4 /dev/sda rw" + chr(10) + "2 1 0:4 / /mnt/a rw shared:1 - nfs4 host:/a rw"
    >>> file_system(Path("/mnt/a/w"), table), file_system(Path("/mnt/ab"), table)
    ('nfs4', 'ext4')
    """
    where, longest, kind = folder.resolve(), -1, ""
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        point = before.split()[4].encode().decode("unicode_escape")  # a space is written \040
        if len(point) >= longest and where.is_relative_to(point):  # a later mount covers an earlier one
            longest, kind = len(point), after.split()[0]
    return kind


def _with_events(made: Engine, journal: str) -> Engine:
    event.listen(made, "connect", _leave_transactions_to_us)
    event.listen(made, "begin", partial(_begin, journal))
    return made


def _reader(connect: Callable[[], sqlite3.Connection]) -> Engine:
    return _with_events(create_engine("sqlite://", creator=connect, poolclass=NullPool), ROLLBACK)


def _leave_transactions_to_us(connection: Any, _record: Any) -> None:
    # The driver would begin late, and leave CREATE TABLE outside of the transaction.
    connection.isolation_level = None


def _begin(journal: str, connection: Connection) -> None:
    write = connection.get_execution_options().get("write", False)
    if write and connection.exec_driver_sql("PRAGMA journal_mode").scalar() != journal:
        # It is changed by who has the file alone; in use by others, it stays as it is for now.
        with suppress(OperationalError):
            connection.exec_driver_sql(f"PRAGMA journal_mode = {journal}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _stamp(file: Path) -> tuple[tuple[int, int], ...]:
    """Return what changes when the file or its log does."""
    found = [path.stat() for path in (file, file.with_name(f"{file.name}-wal")) if path.exists()]
    return tuple((facts.st_mtime_ns, facts.st_size) for facts in found)


def _copy(source: sqlite3.Connection, upgrade: Callable[[Connection], None]) -> bytes:
    memory = sqlite3.connect(":memory:", check_same_thread=False)
    source.backup(memory)
    with _reader(lambda: memory).connect() as connection:
        with connection.begin():
            upgrade(connection)
        content = bytearray(_driver(connection).serialize())
    content[VERSIONS] = b"\1\1"  # in memory there is no write-ahead log
    return bytes(content)


def _in_memory(content: bytes) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.deserialize(content)
    return connection


def _driver(connection: Connection) -> sqlite3.Connection:
    found = connection.connection.driver_connection
    assert isinstance(found, sqlite3.Connection)
    return found
