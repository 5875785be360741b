"""Reproducible synthetic rows of a fitted model, with given cells and constraints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomalo.encoding.encoded import UNSEEN, Encoded, Mask, Scores
from anomalo.encoding.encoder import writing
from anomalo.encoding.layout import Block
from anomalo.errors import SchemaError, UsageError
from anomalo.generators.constraints import Constraint, broken, enforce
from anomalo.models.run import LocalRun
from anomalo.pipeline.fitted import Fitted
from anomalo.tabular import parsing
from anomalo.tabular.cells import is_string
from anomalo.tabular.column import MEASURED, TEXT, Column, column_hint
from anomalo.tabular.formatting import arrow_type, render_labels

Indices = NDArray[np.intp]

CHUNK = 8192
"""Rows drawn at a time; each chunk has its own seed."""
REDRAWS = 5
"""Rows that break a constraint are redrawn at most so often before their cells are repaired."""
SHOWN = 12


@dataclass
class Generator:
    """Draws rows from a fitted model.

    Parameters
    ----------
    fitted : Fitted
        Its model samples.
    constraints : sequence of Constraint
        What every row has to satisfy.
    seed : int
        Equal seeds give equal rows, and the first rows do not depend on how many follow.
    device : str
        Where the model works.

    Attributes
    ----------
    drawn, redrawn, repaired : int
        How many rows were drawn so far; of them, how many broke a constraint at first, and how many still did after
        `REDRAWS` draws, so that cells were changed.
    """

    fitted: Fitted
    constraints: Sequence[Constraint] = ()
    seed: int = 0
    device: str = "cpu"
    drawn: int = field(default=0, init=False)
    redrawn: int = field(default=0, init=False)
    repaired: int = field(default=0, init=False)
    _chunk: int = field(default=0, init=False)

    def rows(self, given: pa.RecordBatch) -> pa.RecordBatch:
        """Return rows [n] with the training table's columns, order and types.

        Parameters
        ----------
        given : RecordBatch [n]
            Any columns of the table, checked by `require_possible`; cells that are not null are kept, the others drawn.
            Columns that no model reads are null where they are not given.

        Raises
        ------
        UsageError
            The constraints cannot be satisfied.
        """
        run = LocalRun(seed=_seed(self.seed, self._chunk), device=self.device)
        data, exact = _encoded(self.fitted, given)
        cells = self._draw(data, exact, run)
        if self.constraints:
            self._constrain(cells, data, exact, run)
        self.drawn += len(cells)
        self._chunk += 1
        return _whole(self.fitted, writing(self.fitted.encoder).write(cells, run.rng), given)

    def _draw(self, given: Encoded, exact: Scores, run: LocalRun) -> Scores:
        """Return cells as they are written, float64 [n, columns]; those that are given, to the bit."""
        cells = writing(self.fitted.encoder).to_original_units(self.fitted.sample(given, run))
        return np.where(given.observed, exact, cells)

    def _constrain(self, cells: Scores, given: Encoded, exact: Scores, run: LocalRun) -> None:
        def draw(rows: Indices) -> None:
            cells[rows] = self._draw(given.take(rows), exact[rows], run)

        def bad(rows: Indices) -> Mask:
            return broken(cells[rows], self.constraints)

        redrawn, left = drawn_again(np.arange(len(cells)), bad, draw)
        self.redrawn += redrawn
        self.repaired += len(left)
        if not len(left):
            return
        moved = cells[left]
        clip = writing(self.fitted.encoder).clip_to_domain
        enforce(moved, self.constraints, ~given.observed[left], clip, run.rng)
        cells[left] = moved


def drawn_again(every: Indices, bad: Callable[[Indices], Mask], draw: Callable[[Indices], None]) -> tuple[int, Indices]:
    """Draw those that are bad again, at most `REDRAWS` times.

    Parameters
    ----------
    every : intp [n]
        Their numbers.
    bad : callable
        Returns which of some break a constraint.
    draw : callable
        Draws some anew.

    Returns
    -------
    int, intp [k]
        How many were bad at first, and the numbers of those that still are.
    """
    left = every[bad(every)]
    first = len(left)
    for _ in range(REDRAWS):
        if not len(left):
            break
        draw(left)
        left = left[bad(left)]
    return first, left


def nothing(rows: int) -> pa.RecordBatch:
    """Return a batch of so many rows in which nothing is given."""
    return pa.RecordBatch.from_arrays([pa.nulls(rows)], names=[""])


def conditions(
    fitted: Fitted, where: Mapping[str, Any], rows: int | None, given: Iterable[pa.RecordBatch] = ()
) -> Iterator[pa.RecordBatch]:
    """Yield what is given, at most `CHUNK` rows at a time: the same cells for all rows, and others row by row.

    Parameters
    ----------
    where : mapping
        Cells that all rows have.
    rows : int or None
        How many rows; None for those of `given`.
    given : iterable of RecordBatch
        Some of the columns, row by row.

    Raises
    ------
    UsageError
        A cell of `where` is none that the training table could have had, or its column is in `given` too.
    SchemaError
        The same of a cell of `given`.
    """
    if rows is not None:
        same = repeated(fitted, where, min(CHUNK, rows))
        for start in range(0, rows, CHUNK):
            yield same.slice(0, min(CHUNK, rows - start))
        return
    row = 0
    for batch in given:
        twice = sorted(set(where) & set(batch.schema.names))
        if twice:
            raise UsageError(f"column {twice[0]!r} is given for all rows and row by row; give it once")
        require_possible(fitted, batch, row)
        same = repeated(fitted, where, batch.num_rows)
        for name in where:
            batch = batch.append_column(name, same.column(name))
        row += batch.num_rows
        for start in range(0, batch.num_rows, CHUNK):
            yield batch.slice(start, CHUNK)


def repeated(fitted: Fitted, where: Mapping[str, Any], rows: int) -> pa.RecordBatch:
    """Return a batch of so many rows that all hold the same given cells.

    Raises
    ------
    UsageError
        A column or its value is not one that the model knows.
    """
    if not where:
        return nothing(rows)
    for name, value in where.items():
        _require_learned(fitted, name, UsageError)
        if value is None or value != value:
            raise UsageError(f"where {name}={value!r}: expected a value; a column that is not named is drawn")
    try:
        one = pa.RecordBatch.from_pydict({name: [_plain(value)] for name, value in where.items()})
    except pa.ArrowException as error:
        raise UsageError(f"where {dict(where)!r}: {error}; expected plain values") from error
    try:
        require_possible(fitted, one, 0, UsageError)
    except SchemaError as error:
        raise UsageError(f"where: {error}") from error
    return one.take(pa.array(np.zeros(rows, dtype=np.int64)))


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def require_possible(
    fitted: Fitted, given: pa.RecordBatch, first_row: int = 0, error: type[SchemaError] | type[UsageError] = SchemaError
) -> None:
    """Check that every given cell is one that the training table could have had.

    Raises
    ------
    SchemaError or UsageError
        The training table had no such column or level, or a number lies outside its range.
    """
    for name in given.schema.names:
        _require_known(fitted, name, error)
    data = fitted.encode(_complete(fitted, given), first_row, label=True, strict=True)
    for block in data.layout.blocks:
        if block.name in given.schema.names:
            _require_block(block, data, given.column(block.name), first_row, error)


def _require_known(fitted: Fitted, name: str, error: type[SchemaError] | type[UsageError]) -> None:
    names = [column.name for column in fitted.schema.columns]
    if name not in names:
        raise error(f"the training table had no column {name!r}{column_hint(name, names)}")


def _require_learned(fitted: Fitted, name: str, error: type[UsageError]) -> None:
    _require_known(fitted, name, error)
    names = [column.name for column in fitted.schema.features]
    if name not in names:
        raise error(f"column {name!r} was left out in training, so no row can be drawn for a value of it")


def _require_block(
    block: Block, data: Encoded, cells: pa.Array, first_row: int, error: type[SchemaError] | type[UsageError]
) -> None:
    values, seen = data.values[:, block.position], data.observed[:, block.position]
    if block.kind == "category":
        impossible = np.flatnonzero(~seen & (values == UNSEEN))
        known = "it had " + ", ".join(map(repr, block.levels[:SHOWN])) + (", …" if len(block.levels) > SHOWN else "")
    else:
        # An end that is rounded to float32 is still an end.
        impossible = np.flatnonzero(seen & ((values < block.low) | (values > block.high)))
        known = "values outside its range cannot be learned from it"
    if len(impossible):
        row = int(impossible[0])
        where = "" if error is UsageError else f"row {first_row + row}: "
        raise error(
            f"{where}column {block.name!r} holds {cells[row].as_py()!r}, which the training table never had; {known}"
        )


def _complete(fitted: Fitted, given: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch with all columns that the model reads, those that are not given empty."""
    names, rows = given.schema.names, given.num_rows
    columns = {c.name: given.column(c.name) if c.name in names else pa.nulls(rows) for c in fitted.schema.features}
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def _encoded(fitted: Fitted, given: pa.RecordBatch) -> tuple[Encoded, Scores]:
    """Return given cells as the model reads them, and as they are written, exact to the bit, [n, columns]."""
    columns = fitted.schema.parse(_complete(fitted, given), label=True, strict=True)
    data = fitted.encoder.encode(columns, label=True)
    exact = np.where(data.observed, data.values, np.nan).astype(np.float64)
    for position, column in enumerate(fitted.schema.features):
        values = columns.values[column.name]
        if not isinstance(values, parsing.Texts):
            exact[:, position] = values
    return data, exact


def _whole(fitted: Fitted, rows: pa.RecordBatch, given: pa.RecordBatch) -> pa.RecordBatch:
    """Return drawn rows with all columns of the training table; given cells keep their spelling."""
    learned, names = set(rows.schema.names), given.schema.names
    columns = {}
    for column in fitted.schema.columns:
        kind = arrow_type(column.storage)
        cells = rows.column(column.name) if column.name in learned else pa.nulls(rows.num_rows, kind)
        if column.name in names:
            cells = _kept(column, given.column(column.name), cells, fitted)
        columns[column.name] = cells
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def _kept(column: Column, given: pa.Array, cells: pa.Array, fitted: Fitted) -> pa.Array:
    """Return drawn cells, replaced by those that are given.

    Text stays as it is, to the character; numbers of other types were replaced before they were written.
    """
    if is_string(given.type) and (column.storage == TEXT or column.role in ("id", "dropped")):
        spelled = given.cast(pa.string())
        blank = parsing.levels(column, given, fitted.schema.reading).expand() if column.role != "id" else spelled
        return pc.if_else(pc.is_null(blank), cells.cast(pa.string()), spelled).cast(cells.type)
    if column.kind in MEASURED:
        return cells
    labels = parsing.levels(column, given, fitted.schema.reading).expand()
    rendered = render_labels(column, labels, cells.type)
    return pc.if_else(pc.is_null(labels), _plainly(cells), _plainly(rendered)).cast(cells.type)


def _plainly(cells: pa.Array) -> pa.Array:
    """Return cells without a dictionary, which Arrow cannot choose from."""
    return cells.cast(cells.type.value_type) if pa.types.is_dictionary(cells.type) else cells


def _seed(seed: int, chunk: int) -> int:
    return int(np.random.SeedSequence([seed, chunk]).generate_state(1)[0])
