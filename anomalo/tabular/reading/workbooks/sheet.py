"""Read a sheet of a workbook: XLSX, XLSM, XLSB, XLS or ODS."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from anomalo.errors import SourceError, UsageError, did_you_mean
from anomalo.tabular.column import write_notes
from anomalo.tabular.read_options import ReadOptions
from anomalo.tabular.reading.names import renamed, unique
from anomalo.tabular.reading.source import LocalFile
from anomalo.tabular.reading.values import Kinds, to_array
from anomalo.tabular.reading.workbooks.bounds import check_bounds
from anomalo.tabular.reading.workbooks.layout import SheetLayout, find_sheet_layout

_BATCH = 8_192
_WHOLE = 2**53  # beyond, a float is not a whole number for certain


def read_workbook(file: LocalFile, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Yield the batches of a sheet: the one that the user named, else the first with cells.

    Numbers, dates, times and booleans keep their types. A column of texts, or of mixed types, is text as in a CSV file.

    Raises
    ------
    SourceError
        The workbook is damaged, locked or too large to be unpacked, or no sheet has rows.
    UsageError
        There is no such sheet or header.
    """
    check_bounds(file)
    sheet = _Sheet.of(file, options)
    layout = find_sheet_layout(list(itertools.islice(sheet.rows(), 100 + (options.line or 0))), str(file), options)
    names = unique(layout.header)
    kinds = [Kinds() for _ in names]
    rows = 0
    for batch in _batches(sheet, layout):
        rows += len(batch)
        for at, kind in enumerate(kinds):
            kind.see(row[at] for row in batch)
    if rows == 0:
        raise SourceError(f"{file}: sheet {sheet.name!r} has a header but no rows")
    texts = [name for name, kind in zip(names, kinds, strict=True) if kind.type == pa.string()]
    warnings = [*layout.warnings, *sheet.warnings, *renamed(str(file), names, layout.header)]
    notes = {"text": False, "text_columns": texts, "warnings": warnings}
    schema = pa.schema([(name, kind.type) for name, kind in zip(names, kinds, strict=True)])
    schema = write_notes(schema, {key: value for key, value in notes.items() if value or key == "text"})
    for batch in _batches(sheet, layout):
        columns = zip(*batch, strict=True)
        arrays = [to_array(values, kind.type) for values, kind in zip(columns, kinds, strict=True)]
        yield pa.RecordBatch.from_arrays(
            [pc.fill_null(cells, "") if cells.type == pa.string() else cells for cells in arrays], schema=schema
        )


def _batches(sheet: _Sheet, layout: SheetLayout) -> Iterator[list[list[Any]]]:
    """Yield the rows below the header, none of them empty."""
    width = len(layout.header)
    rows = (row[:width] for row in itertools.islice(sheet.rows(), layout.first, None))
    filled = (row for row in rows if any(cell is not None for cell in row))
    while batch := list(itertools.islice(filled, _BATCH)):
        yield batch


@dataclass(frozen=True)
class _Sheet:
    """A sheet with cells, whose rows can be read again and again."""

    name: str
    iterate: Callable[[], Iterator[list[Any]]]
    spread: dict[tuple[int, int], tuple[int, int]]
    warnings: tuple[str, ...] = ()

    def rows(self) -> Iterator[list[Any]]:
        """Yield the rows of cells, None for an empty one; a cell merged downwards is in each of its rows."""
        kept: dict[tuple[int, int], Any] = {}
        starts = set(self.spread.values())
        for number, cells in enumerate(self.iterate()):
            row = [_value(cell) for cell in cells]
            for column in range(len(row)) if starts else ():
                if (number, column) in starts:
                    kept[number, column] = row[column]
                elif (number, column) in self.spread:
                    row[column] = kept.get(self.spread[number, column])
            yield row

    @classmethod
    def of(cls, file: LocalFile, options: ReadOptions) -> _Sheet:
        """Open the sheet that was asked for, or the first with cells."""
        import python_calamine  # not above: most tables are no workbooks

        try:
            workbook = python_calamine.CalamineWorkbook.from_path(str(file.path))
            names = _chosen(file, workbook.sheet_names, options.sheet)
            for name in names:
                sheet = workbook.get_sheet_by_name(name)
                if sheet.start is not None and sheet.height:
                    others = len(workbook.sheet_names) - 1
                    said = () if options.sheet or not others else (_which(file, name, others),)
                    return cls(name, sheet.iter_rows, _spread(sheet), said)
        except UsageError:
            raise
        except (python_calamine.PasswordError, python_calamine.CalamineError, OSError, ValueError) as error:
            locked = isinstance(error, python_calamine.PasswordError)
            what = "is locked with a password; save it without one" if locked else f"is a damaged workbook: {error}"
            raise SourceError(f"{file} {' '.join(what.split())}") from error
        which = f"sheet {names[0]!r} has" if options.sheet else "no sheet has"
        raise SourceError(f"{file}: {which} {'no ' if options.sheet else ''}cells; expected a header row and rows")


def _value(cell: Any) -> Any:
    """Return a cell as Python has it: a sheet's numbers are all floats, and an empty cell is an empty text."""
    if type(cell) is float and cell.is_integer() and abs(cell) < _WHOLE:
        return int(cell)
    return None if cell == "" else cell


def _chosen(file: LocalFile, names: list[str], asked: str | None) -> list[str]:
    if asked is None or asked in names:
        return names if asked is None else [asked]
    if asked.isdecimal() and 1 <= int(asked) <= len(names):
        return [names[int(asked) - 1]]
    hint = did_you_mean(asked, names) or f"; its sheets are: {', '.join(names[:10])}"
    raise UsageError(f"--sheet {asked}: {file} has no such sheet{hint}")


def _which(file: LocalFile, name: str, others: int) -> str:
    more = "1 other sheet is" if others == 1 else f"{others} other sheets are"
    return f"{file}: sheet {name!r} is read, and {more} not; --sheet chooses"


def _spread(sheet: Any) -> dict[tuple[int, int], tuple[int, int]]:
    """Return, for each cell below one that is merged with it, which one that is."""
    found, first = {}, sheet.start[1]
    for (top, left), (bottom, _) in sheet.merged_cell_ranges or ():
        for row in range(top + 1, bottom + 1):
            found[row, left - first] = (top, left - first)
    return found
