"""Tables of explained and of imputed cells, with values and intervals in the column's original units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomalo.calibration.results import Explained
from anomalo.encoding.encoded import FIRST_LEVEL, MISSING, Encoded, Floats, Mask
from anomalo.encoding.layout import Layout
from anomalo.models.results import Filled
from anomalo.pipeline.explaining.broken_rules import with_rules
from anomalo.pipeline.explaining.expected_cells import expected_cells, interval_of_fills, text
from anomalo.pipeline.explaining.expected_moments import moments_as_cells
from anomalo.pipeline.explaining.suspected_texts import with_texts
from anomalo.pipeline.fitted import Fitted

SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("column", pa.string()),
        ("contribution", pa.float64()),
        ("observed", pa.string()),
        ("expected", pa.string()),
        ("low", pa.float64()),
        ("high", pa.float64()),
    ]
)


FILLS = pa.schema(
    [
        ("row", pa.int64()),
        ("column", pa.string()),
        ("value", pa.string()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("probability", pa.float64()),
        ("draws", pa.list_(pa.string())),
    ]
)


def absent(data: Encoded) -> Mask:
    """Return which cells are missing, bool [n, *shape]: an unseen level is not observed either, but there.

    A label that was hidden on purpose is not missing.
    """
    layout = data.layout
    missing: Mask = ~data.observed & (data.values == MISSING)
    return missing & ~layout.spread([block.label for block in layout.blocks]) if len(layout.labels) else missing


def shown_cells(layout: Layout) -> NDArray[np.intp]:
    """Return the cells of a row, as indices into its flattened values, that a table of cells has: all but the label."""
    return np.flatnonzero(~layout.spread([block.label for block in layout.blocks]).ravel())


def cells_table(fitted: Fitted, batch: pa.RecordBatch, rows: NDArray[np.intp], data: Encoded) -> pa.Table:
    """Explain rows, one line for each cell: row by row, the columns in the table's order.

    Parameters
    ----------
    batch : RecordBatch [n]
        The raw rows.
    rows : int [n]
        Their numbers in the input.
    data : Encoded [n]
        The same rows, encoded.
    """
    if not len(rows):
        return SCHEMA.empty_table()
    return explained_cells(fitted, batch, rows, fitted.explain(data), absent(data))


def explained_cells(
    fitted: Fitted, batch: pa.RecordBatch, rows: NDArray[np.intp], explained: Explained, missing: Mask
) -> pa.Table:
    """Return the table of `cells_table` for rows that are already explained.

    Parameters
    ----------
    batch, rows
        As there; at least one row.
    explained : Explained [n, *shape]
        Of the same rows.
    missing : bool [n, *shape]
        Which cells are.
    """
    layout = fitted.encoder.layout
    shown = shown_cells(layout)
    names = [layout.cell_names[cell] for cell in shown]
    blocks = [layout.blocks[layout.block_of_cell[cell]] for cell in shown]
    arrays = ("contribution", "expected", "low", "high")
    flat = {name: getattr(explained, name).reshape(len(rows), -1)[:, shown] for name in arrays}
    hidden = missing.reshape(len(rows), -1)[:, shown]
    training_rows, moments = fitted.facts["rows"], moments_as_cells(fitted.encoder, explained.moments)
    expected = [
        moments.get(block.name)
        or expected_cells(
            fitted.encoder, block, training_rows, *(flat[name][:, at] for name in ("expected", "low", "high"))
        )
        for at, block in enumerate(blocks)
    ]
    observed = [_observed(batch, name, hidden[:, at]) for at, name in enumerate(names)]
    by_cell = np.arange(len(shown) * len(rows)).reshape(len(shown), len(rows))
    order = pa.array(by_cell.T.ravel())
    columns = [
        pa.array(np.repeat(rows, len(shown)), pa.int64()),
        pa.array(names).take(pa.array(np.tile(np.arange(len(shown)), len(rows)))),
        pa.array(flat["contribution"].ravel()),
        pa.concat_arrays(observed).take(order),
        pa.concat_arrays([cells.text for cells in expected]).take(order),
        _nullable(np.stack([cells.low for cells in expected], axis=1).ravel()),
        _nullable(np.stack([cells.high for cells in expected], axis=1).ravel()),
    ]
    cells = with_rules(pa.table(columns, schema=SCHEMA), fitted, batch, explained.blamed)
    return cells if fitted.texts is None else with_texts(cells, fitted.texts, batch, rows, explained.texts)


def _observed(batch: pa.RecordBatch, name: str, missing: Mask) -> pa.Array:
    """Return a cell's texts [n], null where it is missing or where it is no column of the source, as a pixel is not."""
    if name not in batch.schema.names:
        return pa.nulls(batch.num_rows, pa.string())
    return pc.if_else(pa.array(missing), None, text(batch.column(name)))


def _nullable(values: NDArray[np.float64]) -> pa.Array:
    return pa.array(values, mask=~np.isfinite(values))


@dataclass(frozen=True)
class Fills:
    """The fills of a batch's missing cells, column by column.

    Attributes
    ----------
    row, position : int32 [k]
        The row in the batch, and the cell: an index into the row's flattened values, for a table the column.
    value : float32 [k]
        The encoded value.
    probability : float32 [k]
        Of a category's value; NaN for numbers, or if the model does not say.
    low, high : float32 [k]
        The ends of a number's 90 % interval, encoded; NaN for categories, or if the model gives none.
    draws : float32 [draws, k]
        The encoded values of multiple imputation.
    """

    row: NDArray[np.int32]
    position: NDArray[np.int32]
    value: Floats
    probability: Floats
    low: Floats
    high: Floats
    draws: Floats

    @classmethod
    def of(cls, data: Encoded, filled: Filled) -> Self:
        """Select the missing cells from what a model imputed."""
        missing = absent(data).reshape(len(data), len(data.layout.block_of_cell))
        position, row = (at.astype(np.int32) for at in np.nonzero(missing.T))

        def cells(array: Floats | None) -> Floats:
            """Take the missing cells of [n, *shape], or of [draws, n, *shape]."""
            if array is None:
                return np.full(len(row), np.nan, dtype=np.float32)
            return array.reshape(*array.shape[: -len(data.layout.shape)], missing.shape[1])[..., row, position]

        value, low, high = cells(filled.point), cells(filled.low), cells(filled.high)
        draws = np.zeros((0, len(value)), np.float32) if filled.draws is None else cells(filled.draws)
        probability = np.full(len(value), np.nan, dtype=np.float32)
        for at, proba in filled.proba.items():
            here = np.flatnonzero(position == at)
            level = np.nan_to_num(value[here]).astype(np.intp) - FIRST_LEVEL
            known = (level >= 0) & (level < proba.shape[1])
            probability[here[known]] = proba[row[here[known]], level[known]]
        return cls(row, position, value, probability, low, high, draws)

    def fill(self, fitted: Fitted, batch: pa.RecordBatch, values: Floats | None = None, round: bool = True) -> Any:
        """Return the batch with the fills, or other encoded `values` [k], in the missing cells."""
        layout = fitted.encoder.layout
        point = np.zeros((batch.num_rows, len(layout.block_of_cell)), dtype=np.float32)
        point[self.row, self.position] = self.value if values is None else values
        where = np.zeros(point.shape, dtype=np.bool_)
        where[self.row, self.position] = True
        shape = batch.num_rows, *layout.shape
        return fitted.encoder.fill(batch, point.reshape(shape), where.reshape(shape), round)

    def table(self, fitted: Fitted, batch: pa.RecordBatch, filled: pa.RecordBatch, first: int) -> pa.Table:
        """Return one line for each fill, as `fills.parquet` has them.

        Parameters
        ----------
        batch : RecordBatch [n]
            With its missing cells.
        filled : RecordBatch [n]
            With its fills.
        first : int
            The number of its first row in the input.
        """
        drawn = [self.fill(fitted, batch, values) for values in self.draws]
        layout = fitted.encoder.layout
        parts = [FILLS.empty_table()]
        cells, starts = np.unique(self.position, return_index=True)
        for cell, start, stop in zip(cells, starts, [*starts, len(self.position)][1:], strict=True):
            block, name = layout.blocks[layout.block_of_cell[cell]], layout.cell_names[cell]
            row = self.row[start:stop]
            low, high = interval_of_fills(
                fitted.encoder, block, *(part[start:stop] for part in (self.value, self.low, self.high))
            )
            columns = [
                pa.array(first + row.astype(np.int64)),
                pa.array([name]).take(pa.array(np.zeros(len(row), dtype=np.int8))),
                text(filled.column(name).take(pa.array(row))),
                _nullable(low),
                _nullable(high),
                _nullable(self.probability[start:stop].astype(np.float64)),
                _lists([text(version.column(name).take(pa.array(row))) for version in drawn], len(row)),
            ]
            parts.append(pa.table(columns, schema=FILLS))
        return pa.concat_tables(parts)


def _lists(columns: list[pa.Array], rows: int) -> pa.Array:
    """Return columns [k] of texts as one column of lists, null if there is none."""
    if not columns:
        return pa.nulls(rows, FILLS.field("draws").type)
    by_column = np.arange(len(columns) * rows).reshape(len(columns), rows)
    return pa.FixedSizeListArray.from_arrays(
        pa.concat_arrays(columns).take(pa.array(by_column.T.ravel())), len(columns)
    ).cast(FILLS.field("draws").type)
