"""Text tables of any encoding, separator and ragged ends, rewritten as plain UTF-8 with one cell for each column."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from anomalo.errors import SourceError
from anomalo.tabular.quantities import count
from anomalo.tabular.reading.source import LocalFile
from anomalo.tabular.text.layout import Layout
from anomalo.tabular.text.lines import decoded, lines
from anomalo.tabular.text.rows import LONGEST, SPACES, Row, rows

_CHUNK = 1 << 20


def separator_of(layout: Layout) -> str:
    """Return the separator of a rewritten table: a tab for runs of spaces, which cells may contain singly."""
    return "\t" if layout.separator == SPACES else layout.separator


def recode(file: LocalFile, encoding: str, output: BinaryIO) -> None:
    """Write the text of a file as UTF-8.

    Raises
    ------
    SourceError
        The file is not in the encoding, is damaged or cannot be read.
    """
    with decoded(file, encoding) as text:
        while chunk := text.read(_CHUNK):
            output.write(chunk.encode())
    output.flush()


@dataclass
class Normaliser:
    """Rewrites the rows of a table, without its header.

    Attributes
    ----------
    rows : int
        Rows written so far.
    longest : int
        The most bytes of a row so far.
    cut, comments : int
        Rows that lost empty cells at their end, and comment lines that were skipped.
    """

    file: LocalFile
    layout: Layout
    rows: int = 0
    longest: int = 0
    cut: int = 0
    comments: int = 0
    _cut_at: int = field(default=0, init=False)

    def write(self, encoding: str, output: BinaryIO) -> None:
        """Rewrite the whole table.

        Raises
        ------
        SourceError
            A row has too many or too few cells, or a cell or line is too long; the line is named. Or as `recode`.
        """
        buffer = io.StringIO(newline="")
        writer = csv.writer(buffer, delimiter=separator_of(self.layout), lineterminator="\n")
        with decoded(self.file, encoding) as text:
            for cells in self._rows(lines(self.file, text, self.layout.line)):
                start = buffer.tell()
                writer.writerow(cells)
                self.rows += 1
                self.longest = max(self.longest, 4 * (buffer.tell() - start))
                if buffer.tell() > _CHUNK:
                    self._flush(buffer, output)
        self._flush(buffer, output)
        output.flush()

    def warnings(self) -> list[str]:
        """Return one sentence for each sort of what was dropped."""
        found = []
        if self.cut:
            found.append(
                f"{self.file}: empty cells beyond the last column are dropped in {count(self.cut, 'row')}, first in "
                f"line {self._cut_at}"
            )
        if self.comments:
            found.append(f"{self.file}: {count(self.comments, 'comment line')} skipped, beginning with #")
        return found

    @staticmethod
    def _flush(buffer: io.StringIO, output: BinaryIO) -> None:
        output.write(buffer.getvalue().encode("utf-8", errors="surrogatepass"))
        buffer.seek(0)
        buffer.truncate()

    def _rows(self, texts: Iterator[str]) -> Iterator[list[str]]:
        """Yield the cells of each row that is one."""
        offset, width, last = self.layout.line - 1, len(self.layout.names), Row(1, [], False)
        found = rows(texts, self.layout.separator)
        try:
            for at, row in enumerate(found):
                last = row
                if at == 0 and not self.layout.headless:
                    continue
                if width > 1 and row.blank:
                    continue
                if len(row.cells) == width or (width == 1 and not row.cells):
                    yield row.cells or [""]
                    continue
                kept = self._kept(row, width, offset + row.line)
                if kept is not None:
                    yield kept
        except csv.Error as problem:
            raise SourceError(
                f"{self.file}, after line {offset + last.line}: {problem}; is a quote left open, or a cell longer than "
                f"{LONGEST:,} characters?"
            ) from problem
        if last.unclosed:
            raise SourceError(f"{self.file}, line {offset + last.line}: a quote is left open; close it in its cell")

    def _kept(self, row: Row, width: int, line: int) -> list[str] | None:
        """Return a row that is too wide without what is empty; None for a comment."""
        if len(row.cells) > width and not any(cell.strip() for cell in row.cells[width:]):
            if not (self.layout.surplus and len(row.cells) == width + 1):
                self.cut += 1
                self._cut_at = self._cut_at or line
            return row.cells[:width]
        if row.comment and width > 1:
            self.comments += 1
            return None
        what = "the table" if self.layout.headless else "the header"
        raise SourceError(
            f"{self.file}, line {line}: {len(row.cells)} fields, but {what} has {width}; "
            f"correct the line (separator {self.layout.separator!r})"
        )
