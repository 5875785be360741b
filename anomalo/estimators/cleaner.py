"""`TableCleaner`: wrong cells found and replaced, in a DataFrame or an array."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from anomalo.cleaning.changes import changes_of
from anomalo.cleaning.cleaner import Cleaned, Cleaner
from anomalo.cleaning.coded import CodedTable
from anomalo.cleaning.learning.asking import ask, ask_file
from anomalo.cleaning.learning.labels import Labels
from anomalo.errors import UsageError
from anomalo.estimators.base import TableEstimator
from anomalo.pipeline.characters import TRIGRAMS, spelling_by
from anomalo.registry.registry import Registry
from anomalo.tabular.writing.replacing import replaced

Rows = NDArray[np.int64]


class TableCleaner(OneToOneFeatureMixin, TransformerMixin, TableEstimator):  # type: ignore[misc]
    """Find cells that are probably wrong, and replace those whose right value is probably known.

    Parameters
    ----------
    model : str
        "trigrams", or a registered model of texts, such as "strings", that says with them how improbable characters
        are.
    apply : float in (0, 1]
        `transform` replaces cells whose suggestion is right with at least this probability.

    Attributes
    ----------
    cleaner_ : Cleaner
        The training rows, and what answers about them taught.

    Examples
    --------
    >>> rows = pd.DataFrame({"zip": ["35233", "36302"] * 40, "city": ["Birmingham", "Dothan"] * 40})
    >>> rows.loc[7, "city"] = "Dxthan"
    >>> cleaner = TableCleaner().fit(rows)
    >>> cleaner.cells()[["row", "column", "observed", "suggestion", "kind"]].values.tolist()
    [[7, 'city', 'Dxthan', 'Dothan', 'typo']]
    >>> cleaner.transform(rows).loc[7, "city"]
    'Dothan'
    """

    cleaner_: Cleaner
    found_: Cleaned

    def __init__(self, model: str = TRIGRAMS, *, apply: float = 0.9) -> None:
        self.model = model
        self.apply = apply

    def fit(self, X: Any, y: Any = None, *, labels: pd.DataFrame | None = None) -> Self:
        """Learn from a DataFrame or a numeric array [n, columns]; `y` is ignored.

        Parameters
        ----------
        labels : DataFrame, optional
            Answers about some cells: `row` (its position, from 0), `column`, `wrong` (yes or no) and `value`, the right
            text of a wrong cell, empty where it is unknown.

        Raises
        ------
        UsageError
            `apply` is no probability, or an answer is about no cell of X.
        """
        if not 0 < self.apply <= 1:
            raise UsageError(f"apply={self.apply!r}: expected a probability above 0 and at most 1, such as 0.9")
        table = CodedTable.of(self._batch(X, reset=True))
        answers = None if labels is None else Labels.of_table(_texts(labels), table)
        self.cleaner_, self.found_ = Cleaner.fit(table, answers, spelling_by(str(self.model), Registry.load()))
        return self

    def cells(self, X: Any = None) -> pd.DataFrame:
        """Return a line for each cell that is probably wrong, of X or of the training rows, the most probable first.

        The columns are `row` (its position), `column`, `observed`, `suggestion` (None where there is none, an empty
        text where the cell should be missing), `probability` that it is wrong, `suggestion_probability` that the
        suggestion is right, `kind` of error, and `reason`.
        """
        check_is_fitted(self, "cleaner_")
        found = self.found_ if X is None else self._found(self._batch(X, reset=False))
        lines: pd.DataFrame = found.lines().to_pandas()
        return lines

    def ask(self, rows: int = 20) -> pd.DataFrame:
        """Return the cells of the training rows whose answers would teach most, to be filled in as labels of `fit`."""
        check_is_fitted(self, "cleaner_")
        if not isinstance(rows, int | np.integer) or rows < 1:
            raise UsageError(f"rows={rows!r}: expected a whole number from 1, such as 20")
        examined = self.found_.examined
        asked: pd.DataFrame = ask_file(examined, ask(examined, int(rows))).to_arrow().to_pandas()
        return asked.astype({"row": int})

    def transform(self, X: Any) -> Any:
        """Return X with cells replaced, see `apply`: a DataFrame for a DataFrame, else a float64 array.

        A suggestion that the column's type cannot hold is not applied.
        """
        check_is_fitted(self, "cleaner_")
        batch = self._batch(X, reset=False)
        changes = changes_of(self._found(batch).lines(), self.apply, batch.schema).replacements
        cleaned = replaced(batch, 0, changes)
        if not isinstance(X, pd.DataFrame):
            return np.column_stack([column.to_numpy(zero_copy_only=False) for column in cleaned.columns])
        out = X.copy()
        for at, name in enumerate(batch.schema.names):
            if name in changes:
                out.isetitem(at, _with_cells(X.iloc[:, at], cleaned.column(at), changes[name].rows))
        return out

    def _names(self) -> list[str]:
        return self.cleaner_.reference.names

    def _found(self, batch: pa.RecordBatch) -> Cleaned:
        return self.cleaner_.clean(CodedTable.of(batch.select(self._names())))


def _texts(labels: pd.DataFrame) -> CodedTable:
    return CodedTable.of_texts({str(name): ["" if pd.isna(x) else str(x) for x in labels[name]] for name in labels})


def _with_cells(column: Any, cells: pa.Array, rows: Rows) -> Any:
    """Return a Series [n] with some cells taken from `cells` [n]; all others stay as they are."""
    values: Any = cells.take(pa.array(rows)).to_pandas()
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.cat.add_categories(pd.Index(values.dropna().unique()).difference(column.cat.categories))
    elif values.isna().any() and column.dtype.kind in "iub" and isinstance(column.dtype, np.dtype):
        column = column.astype(np.float64 if column.dtype.kind in "iu" else object)  # NumPy's have no missing values
    column = column.copy()
    column.iloc[rows] = values.to_numpy() if column.dtype == object else values.array
    return column
