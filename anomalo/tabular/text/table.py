"""Read a text table: as Arrow reads it where it is plain, else rewritten before."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pyarrow as pa
import pyarrow.csv

from anomalo.errors import EmptySourceError
from anomalo.tabular.column import write_notes
from anomalo.tabular.read_options import ReadOptions
from anomalo.tabular.reading.batches import slices
from anomalo.tabular.reading.source import LocalFile
from anomalo.tabular.reading.temporary import take, temporary_file
from anomalo.tabular.text.encodings import UTF8, named, recognise
from anomalo.tabular.text.layout import Layout
from anomalo.tabular.text.lines import first_lines, unreadable
from anomalo.tabular.text.normalised import Normaliser, recode, separator_of
from anomalo.tabular.text.packed import DAMAGED, most_unpacked, native
from anomalo.tabular.text.separator import find_layout

_BLOCK = 1 << 23  # bytes parsed at a time

_logger = logging.getLogger("anomalo")


def read_text(file: LocalFile, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Yield the batches of a text table, whose columns are strings, to the character.

    Raises
    ------
    SourceError
        The file is no text, is not in its encoding, damaged, ragged, or has no rows.
    """
    try:
        encoding = options.encoding or recognise(file)
    except DAMAGED as error:
        raise unreadable(file, error) from error
    text, whole = first_lines(file, encoding)
    layout = find_layout(text, whole, str(file), options)
    table = _Table(file, encoding, layout, recognised=options.encoding is None)
    rows = 0
    for batch in table.batches():
        rows += batch.num_rows
        yield from slices(batch)
    if rows == 0:
        raise EmptySourceError(f"{file} has a header but no rows")


class _Table:
    """A text table whose layout is known; it is read once."""

    def __init__(self, file: LocalFile, encoding: str, layout: Layout, recognised: bool) -> None:
        self._file, self._encoding, self._layout = file, encoding, layout
        plain = named(encoding) in ("UTF-8", "UTF-16", "UTF-32") and not encoding.endswith(("-le", "-be"))
        self._warnings = list(layout.warnings)
        if recognised and not plain:
            self._warnings.insert(0, f"{file} is read as {named(encoding)}; give --encoding to overrule")

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the batches as Arrow finds them; where it fails, continue with the table rewritten."""
        rows = 0
        if self._layout.regular:
            try:
                for batch in self._as_it_is():
                    rows += batch.num_rows
                    yield batch
            except pa.ArrowInvalid:
                pass
            except DAMAGED as error:
                raise unreadable(self._file, error) from error
            else:
                return
        yield from self._rewritten(rows)

    def _as_it_is(self) -> Iterator[pa.RecordBatch]:
        before, header = self._layout.line - 1, 0 if self._layout.headless else 1
        stream = native(self._file.path) if self._encoding in UTF8 else None
        if stream is not None:
            yield from self._arrow(stream, before, header, _BLOCK)
            return
        with temporary_file(self._file, most_unpacked(self._file.path)) as (path, output):
            recode(self._file, self._encoding, output)
            yield from self._arrow(take(path), before, header, _BLOCK)

    def _rewritten(self, done: int) -> Iterator[pa.RecordBatch]:
        """Yield the rows after the first `done` ones."""
        normaliser = Normaliser(self._file, self._layout)
        with temporary_file(self._file, most_unpacked(self._file.path)) as (path, output):
            normaliser.write(self._encoding, output)
            if done == 0:
                self._warnings += normaliser.warnings()
            else:  # the notes of the first batch have been given away
                for warning in normaliser.warnings():
                    _logger.warning(warning)
            if normaliser.rows == 0:
                return
            for batch in self._arrow(take(path), 0, 0, max(_BLOCK, normaliser.longest)):
                if done < batch.num_rows:
                    yield batch.slice(done)
                done = max(0, done - batch.num_rows)

    def _arrow(self, stream: pa.NativeFile, before: int, header: int, block: int) -> Iterator[pa.RecordBatch]:
        """Parse UTF-8 from a stream, after so many lines and a header."""
        names = list(self._layout.names)
        with ExitStack() as stack:
            reader = stack.enter_context(
                pyarrow.csv.open_csv(
                    stream,
                    pyarrow.csv.ReadOptions(
                        column_names=names, skip_rows=before, skip_rows_after_names=header, block_size=block
                    ),
                    pyarrow.csv.ParseOptions(
                        delimiter=separator_of(self._layout),
                        newlines_in_values=True,
                        # An empty line in a file of one column is an empty cell.
                        ignore_empty_lines=len(names) > 1,
                    ),
                    pyarrow.csv.ConvertOptions(
                        column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
                    ),
                )
            )
            metadata = write_notes(reader.schema, self._notes()).metadata
            for batch in reader:
                yield batch.replace_schema_metadata(metadata)

    def _notes(self) -> dict[str, Any]:
        layout = self._layout
        named = zip(layout.names, layout.header, strict=True)
        originals = {name: original for name, original in named if name != original}
        notes: dict[str, Any] = {"text": True, "separator": separator_of(layout)}
        return (
            notes
            | ({"names": originals} if originals else {})
            | ({"warnings": self._warnings} if self._warnings else {})
        )
