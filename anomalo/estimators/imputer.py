"""`TableImputer`: missing cells imputed, in a DataFrame or an array."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.base import OneToOneFeatureMixin, TransformerMixin

from anomalo.encoding.encoded import Mask
from anomalo.errors import UsageError
from anomalo.estimators.base import TableEstimator
from anomalo.estimators.columns import Choices
from anomalo.models.base import Model
from anomalo.pipeline.cell_tables import Fills, absent


class TableImputer(OneToOneFeatureMixin, TransformerMixin, TableEstimator):  # type: ignore[misc]
    """Fill missing cells: observed cells, column order and types stay as they are.

    Parameters
    ----------
    model, params, columns, effort, random_state, device
        As in `AnomalyDetector`.
    round : bool
        Whether fills of columns that hold whole numbers are rounded.

    Attributes
    ----------
    fitted_ : Fitted
        Schema, encoder and model.

    Examples
    --------
    >>> rows = pd.DataFrame({"size": [1.0, 3.0, None, 2.0], "colour": ["red", "red", "blue", None]})
    >>> TableImputer(model="median").fit(rows).transform(rows)["colour"].tolist()
    ['red', 'red', 'blue', 'red']
    """

    def __init__(
        self,
        model: str | Model = "auto",
        *,
        params: dict[str, Any] | None = None,
        columns: Choices = None,
        effort: str | None = None,
        round: bool = True,
        random_state: int | np.random.RandomState | np.random.Generator | None = 0,
        device: str = "auto",
    ) -> None:
        self.model = model
        self.params = params
        self.columns = columns
        self.effort = effort
        self.round = round
        self.random_state = random_state
        self.device = device

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit on a DataFrame or a numeric array [n, columns]; `y` is ignored."""
        self._fit(X, "impute", calibrate=False)
        return self

    def transform(self, X: Any) -> Any:
        """Return X with its missing cells filled: a DataFrame for a DataFrame, else a float64 array.

        A cell is missing if pandas' `isna` says so, or if it holds a value that `columns` says stands for that. Columns
        that were empty in training, or hold identifiers or free text, stay as they are. A column of nullable integers
        becomes one of nullable floats only if it is filled with `round=False`, and a categorical one gains a category
        only if a fill is not among its categories.
        """
        batch, data = self._encode(X)
        missing = absent(data)
        point = self.fitted_.impute(data).point
        return self._filled(X, self.fitted_.encoder.fill(batch, point, missing, self.round), missing)

    def draw(self, X: Any, draws: int = 20) -> list[Any]:
        """Return X filled `draws` times at random, for multiple imputation; each is what `transform` returns.

        Analyse each table as if it were complete, and combine the results with `anomalo.pool`.

        Raises
        ------
        UsageError
            `draws` is less than 1, or the model gives no draws.
        """
        if not isinstance(draws, int | np.integer) or draws < 1:
            raise UsageError(f"draws={draws!r}: expected a whole number from 1, such as 20")
        batch, data = self._encode(X)
        fills, missing = Fills.of(data, self.fitted_.impute(data, int(draws))), absent(data)
        return [self._filled(X, fills.fill(self.fitted_, batch, drawn, self.round), missing) for drawn in fills.draws]

    def cells(self, X: Any) -> pd.DataFrame:
        """Return one line for each missing cell of X: row, column, value, low, high, probability.

        `value` is a string, `low` and `high` are the ends of a 90 % interval of a number, `probability` is that of a
        category's value; what does not apply or is unknown is empty.
        """
        batch, data = self._encode(X)
        fills = Fills.of(data, self.fitted_.impute(data))
        filled = fills.fill(self.fitted_, batch, round=self.round)
        found: pd.DataFrame = fills.table(self.fitted_, batch, filled, 0).drop("draws").to_pandas()
        return found.sort_values("row", kind="stable", ignore_index=True)

    def _filled(self, X: Any, filled: pa.RecordBatch, missing: Mask) -> Any:
        """Return the filled rows as X has them; `missing` [n, features] says which cells were."""
        if not isinstance(X, pd.DataFrame):
            return np.column_stack([column.to_numpy(zero_copy_only=False) for column in filled.columns])
        out, names = X.copy(), filled.schema.names
        for block in self.fitted_.encoder.layout.blocks:
            at = names.index(block.name)
            out.isetitem(at, _fill(X.iloc[:, at], filled.column(at), missing[:, block.position]))
        return out


def _fill(column: Any, cells: pa.Array, missing: Mask) -> Any:
    """Return a Series [n] whose missing cells are taken from `cells` [n]; all others stay as they are."""
    fills = cells.filter(pa.array(missing))
    if not len(fills) or fills.null_count:
        return column
    values: Any = fills.to_pandas()
    if isinstance(column.dtype, pd.CategoricalDtype):
        values = values.astype(column.dtype.categories.dtype)
        column = column.cat.add_categories(pd.Index(values.unique()).difference(column.cat.categories))
    elif pd.api.types.is_integer_dtype(column.dtype) and pa.types.is_floating(fills.type):
        column = column.astype("double[pyarrow]" if isinstance(column.dtype, pd.ArrowDtype) else "Float64")
    column = column.copy()
    column.iloc[np.flatnonzero(missing)] = values.to_numpy() if column.dtype == object else values.array
    return column
