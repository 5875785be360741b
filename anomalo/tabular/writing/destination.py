"""Where a result goes: one file, or what a plugin writes, such as a table of a database or a folder of files."""

from __future__ import annotations

import os
import re
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self, runtime_checkable

import pyarrow as pa

from anomalo.errors import without_passwords
from anomalo.persistence.exclusive import exclusive


class Sink(Protocol):
    """Takes the rows of a result."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Append a batch; all have the same columns."""


class Destination(Protocol):
    """An output of a plugin."""

    def check(self) -> None:
        """Raise early, as `writer` would: an OutputError or a UsageError."""

    def writer(self, like: pa.Schema | None) -> AbstractContextManager[Sink]:
        """Return a context manager that takes the rows; nothing is written if the block ends with an exception.

        Parameters
        ----------
        like : Schema or None
            The columns, and the notes of their reader; None: those of the first batch.
        """


@dataclass(frozen=True)
class Delivery:
    """Which job writes an output.

    Attributes
    ----------
    owner : str
        The owner of temporary files, for `atomic_file`.
    job : str
        A digest of what it computes, and from what.
    resumed : bool
        Whether it resumes one that was killed, perhaps after its output was complete and before it was recorded.
    """

    owner: str
    job: str
    resumed: bool


@runtime_checkable
class WritesOnce(Protocol):
    """An output that notes which job it is from, with its rows and in one step with them."""

    def once(self, delivery: Delivery) -> Self:
        """Return the output for a job: if it is resumed and its note is there, nothing is checked or written again."""

    def forget(self) -> None:
        """Remove the note of the job, which is recorded now.

        Raises
        ------
        OutputError
            It cannot be removed.
        """


class Written:
    """Takes rows that are written already."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class Address:
    """An output that is not one file, as the user wrote it."""

    text: str

    def __str__(self) -> str:
        return without_passwords(self.text)

    def absolute(self) -> Address:
        """Return it with an absolute path, if it is one of this machine."""
        return self if "://" in self.text else Address(os.path.join(os.getcwd(), self.text))


Output = Path | Address


def output_of(text: str) -> Output:
    """Return the output that a user named: an address if it is a URL, or a folder as its last slash says.

    Examples
    --------
    >>> type(output_of("out/")).__name__, output_of("a/out.csv").name, str(output_of("sqlite:///a.db::t"))
    ('Address', 'out.csv', 'sqlite:///a.db::t')
    """
    return Address(text) if re.search(r"://|/$|/\?by=", text) else Path(text)


def alone(output: Output | None) -> AbstractContextManager[None]:
    """Keep other jobs from writing an output inside; tables of databases, and folders, appear in one step anyway.

    Raises
    ------
    OutputError
        Another job is writing it.
    """
    return exclusive(output) if isinstance(output, Path) else nullcontext()
