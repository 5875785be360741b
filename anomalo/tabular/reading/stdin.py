"""Standard input as a file: kept in a temporary one, since a table is read more than once."""

from __future__ import annotations

import atexit
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path

from anomalo.errors import SourceError
from anomalo.tabular.reading.source import LocalFile

STDIN = "-"
"""The source that is standard input."""


@cache
def spooled() -> LocalFile:
    """Return the file with what came in, which is read the first time.

    Raises
    ------
    SourceError
        Nothing came in, or it cannot be kept.
    """
    name = "standard input"
    if sys.stdin is None or sys.stdin.isatty():
        raise SourceError("'-' reads a table from standard input, and nothing is piped in; give a file")
    file = tempfile.NamedTemporaryFile(prefix="anomalo-")  # noqa: SIM115
    try:
        shutil.copyfileobj(sys.stdin.buffer, file)
        file.flush()
    except OSError as error:
        raise SourceError(f"cannot keep {name} in {tempfile.gettempdir()}: {error.strerror or error}") from error
    if file.tell() == 0:
        raise SourceError(f"{name} is empty; expected a table")
    atexit.register(file.close)  # which deletes it
    return LocalFile(Path(file.name), name)
