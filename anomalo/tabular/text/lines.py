"""The decoded text of a table: its first lines, and all lines one by one, in bounded memory."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast

from anomalo.errors import SourceError
from anomalo.tabular.reading.source import LocalFile
from anomalo.tabular.text.encodings import undecodable
from anomalo.tabular.text.packed import DAMAGED, opened, packing
from anomalo.tabular.text.rows import LONGEST

_CHUNK = 1 << 16
_FEWEST = 5
_LONGEST_HEAD = 1 << 22


@contextmanager
def decoded(file: LocalFile, encoding: str) -> Iterator[IO[str]]:
    """Open a file as text, line ends as they are; what goes wrong inside is one line.

    Raises
    ------
    SourceError
        The file is not in the encoding, is damaged or cannot be read.
    """
    # A mark at the start is no part of the text, whoever gave the encoding.
    decoding = "utf-8-sig" if encoding.lower() in ("utf-8", "utf8", "utf_8") else encoding
    try:
        with opened(file) as stream:
            yield cast("IO[str]", io.TextIOWrapper(stream, encoding=decoding, newline=""))
    except UnicodeError as error:
        raise undecodable(file, encoding) from error
    except DAMAGED as error:
        raise unreadable(file, error) from error


def first_lines(file: LocalFile, encoding: str) -> tuple[str, bool]:
    """Return the first lines of a file, and whether these are all.

    Raises
    ------
    SourceError
        As `decoded`, and if the first line does not end.
    """
    parts, size, ends = [], 0, 0
    with decoded(file, encoding) as text:
        while size < _CHUNK or ends < _FEWEST:
            part = text.read(_CHUNK)
            parts.append(part)
            size, ends = size + len(part), ends + part.count("\n") + part.count("\r")
            if not part:
                return "".join(parts), True
            if size > _LONGEST_HEAD:
                break
    found = "".join(parts)
    end = max(found.rfind("\n"), found.rfind("\r")) + 1
    if end == 0:
        raise SourceError(f"{file}, line 1: longer than {size:,} characters; expected the names of columns")
    return found[:end], False


def lines(file: LocalFile, text: IO[str], first: int = 1) -> Iterator[str]:
    """Yield the lines of an open file, each with its end, from line `first` on.

    Raises
    ------
    SourceError
        A line is too long.
    """
    number = 0
    while line := text.readline(LONGEST):
        number += 1
        if len(line) == LONGEST and line[-1] not in "\r\n":
            raise SourceError(
                f"{file}, line {number}: longer than {LONGEST:,} characters; split it into cells or lines"
            )
        if number >= first:
            yield line


def unreadable(file: LocalFile, error: Exception) -> SourceError:
    """Return the error of a file that could not be read, or unpacked."""
    kind = packing(file.path)
    # Unpacking fails without a number, in Python as in Arrow.
    if kind is not None and not (isinstance(error, OSError) and error.errno is not None):
        return SourceError(f"{file} is a damaged or truncated {kind} file: {error}; copy it again")
    return SourceError(f"cannot read {file}: {getattr(error, 'strerror', None) or error}")
