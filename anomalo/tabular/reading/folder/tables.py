"""Read the files of a folder as one table: file after file, in the order of their names."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing

import pyarrow as pa

from anomalo.errors import EmptySourceError, SourceError
from anomalo.tabular.column import read_notes
from anomalo.tabular.read_options import ReadOptions
from anomalo.tabular.reading.batches import is_text
from anomalo.tabular.reading.folder.agreement import common_schema, in_schema, require_same_columns
from anomalo.tabular.reading.folder.listing import TableFile
from anomalo.tabular.reading.folder.partitions import partition_keys, partition_types, with_partitions
from anomalo.tabular.reading.source import LocalFile

ReadFile = Callable[[LocalFile, ReadOptions], Iterator[pa.RecordBatch] | None]

_logger = logging.getLogger("anomalo")


def read_parts(
    source: str, parts: Sequence[TableFile], options: ReadOptions, read_file: ReadFile
) -> Iterator[pa.RecordBatch]:
    """Yield the batches of several files, with the columns that their folders' names hold.

    One file is open at a time. Of typed files the types are read first, so that one schema holds all of them; text
    files are read as single ones are, each with the separator and the encoding that it is in.

    Parameters
    ----------
    source : str
        What messages call the whole.
    parts : sequence of TableFile
        The files, at least one.
    options : ReadOptions
        What the user decided.
    read_file : callable
        Reads one of them.

    Raises
    ------
    SourceError
        A file cannot be read, or its columns are not those of the first; or there are no rows.
    """
    table = _Folder(parts, options, read_file)
    try:
        schema = table.schema()
    except StopIteration:
        raise EmptySourceError(f"{source} has no rows: none of {len(parts)} files has any") from None
    yield from table.batches(schema)


class _Folder:
    def __init__(self, parts: Sequence[TableFile], options: ReadOptions, read_file: ReadFile) -> None:
        self._parts, self._options, self._read_file = parts, options, read_file
        self._keys = {part.below: partition_keys(part.below) for part in parts}
        for part in parts:
            self._require_same_keys(parts[0], part)
        self._types = partition_types(list(self._keys.values()))

    def _require_same_keys(self, first: TableFile, part: TableFile) -> None:
        for one, other in ((first, part), (part, first)):
            for key in self._keys[one.below]:
                if key not in self._keys[other.below]:
                    raise SourceError(f"{other.name} lies in no folder {key}=…, as {one.name} does")

    def schema(self) -> pa.Schema:
        """Return what all files are read in: the first one's if it is text, else what holds the types of all.

        Raises StopIteration if no file has rows.
        """
        schemas = ((part.name, first.schema) for part in self._parts for first in self._first(part))
        first = next(schemas)
        return first[1] if is_text(first[1]) else common_schema([first, *schemas])

    def _first(self, part: TableFile) -> Iterator[pa.RecordBatch]:
        with closing(self._read(part)) as batches:
            yield from itertools.islice(batches, 1)

    def batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Yield the batches of all files in one schema."""
        first = next(part.name for part in self._parts)
        known = set(read_notes(schema).get("warnings", []))
        for part in self._parts:
            for batch in self._read(part):
                if batch.schema is not schema:
                    require_same_columns(first, schema, part.name, batch.schema)
                    for warning in dict.fromkeys(read_notes(batch.schema).get("warnings", [])):
                        if warning not in known:
                            known.add(warning)
                            _logger.warning(warning)
                    batch = in_schema(part.name, batch, schema)
                yield batch

    def _read(self, part: TableFile) -> Generator[pa.RecordBatch]:
        with part.local() as path:
            batches = self._read_file(LocalFile(path, part.name), self._options)
            if batches is None:
                raise SourceError(f"cannot read {part.name}: its content is not that of a table")
            try:
                for batch in batches:
                    yield with_partitions(batch, self._keys[part.below], self._types, is_text(batch.schema))
            except EmptySourceError:
                return
