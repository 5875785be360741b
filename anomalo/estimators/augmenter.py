"""`TableAugmenter`: the scikit-learn estimator that draws synthetic rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.utils.validation import check_is_fitted

from anomalo.errors import UsageError
from anomalo.estimators.base import TableEstimator, seed_of
from anomalo.estimators.columns import Choices
from anomalo.estimators.frames import typed
from anomalo.models.base import Model
from anomalo.pipeline.generator import Generator, conditions
from anomalo.tabular.cells import whole


class TableAugmenter(TableEstimator):
    """Draw synthetic rows like those of a table; any of their cells may be given.

    Parameters
    ----------
    model, params, columns, random_state, device
        As in `AnomalyDetector`; the model has to sample.
    constraints : sequence of str
        What every synthetic row has to satisfy: "0 <= age <= 99", "start < end", "fixed: city, country".

    Attributes
    ----------
    fitted_ : Fitted
        Schema, encoder and model.
    types_ : Series or None
        The columns' types by name, if it was fitted on a DataFrame.

    Examples
    --------
    >>> rows = pd.DataFrame({"size": [1.0, 3.0, 9.0, 2.0], "colour": ["red", "red", "blue", "red"]})
    >>> synthetic = TableAugmenter("marginals").fit(rows).sample(3, where={"colour": "blue"})
    >>> synthetic["colour"].tolist(), list(synthetic.columns)
    (['blue', 'blue', 'blue'], ['size', 'colour'])
    """

    def __init__(
        self,
        model: str | Model = "edm",
        *,
        params: dict[str, Any] | None = None,
        columns: Choices = None,
        constraints: Sequence[str] = (),
        random_state: int | np.random.RandomState | np.random.Generator | None = 0,
        device: str = "auto",
    ) -> None:
        self.model = model
        self.params = params
        self.columns = columns
        self.constraints = constraints
        self.random_state = random_state
        self.device = device

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit on a DataFrame or a numeric array [n, columns], which may have missing values; `y` is ignored.

        Raises
        ------
        ValueError
            A parameter, a constraint or the table is not usable.
        """
        self._fit(X, "sample", calibrate=False, constraints=tuple(self.constraints))
        self.types_ = X.dtypes if isinstance(X, pd.DataFrame) else None
        return self

    def sample(
        self,
        n: int | None = None,
        *,
        where: Mapping[str, Any] | None = None,
        given: pd.DataFrame | None = None,
        random_state: int | np.random.RandomState | np.random.Generator | None = None,
    ) -> Any:
        """Return synthetic rows: a DataFrame if it was fitted on one, else a float64 array.

        Parameters
        ----------
        n : int, optional
            How many rows; not with `given`.
        where : mapping of str to value, optional
            Cells that all rows have. They are conditions on the model, not a filter.
        given : DataFrame [n], optional
            Some of the columns, row by row; its missing cells are drawn.
        random_state : int, RandomState, Generator or None
            None takes the estimator's: two calls then give the same rows.

        Raises
        ------
        ValueError
            A given cell is none that the training table could have had, or contradicts a constraint.
        """
        check_is_fitted(self, "fitted_")
        if (n is None) == (given is None):
            raise UsageError(f"n={n!r}: expected a number of rows, or a table of given cells, and not both")
        if n is not None and (not isinstance(n, int | np.integer) or n < 1):
            raise UsageError(f"n={n!r}: expected a whole number from 1, such as 1000")
        seed = seed_of(self.random_state if random_state is None else random_state)
        generator = Generator(self.fitted_, self.fitted_.constraints, seed, self.device)
        batches = [] if given is None else [pa.RecordBatch.from_pandas(given, preserve_index=False)]
        parts = conditions(self.fitted_, dict(where or {}), None if n is None else int(n), batches)
        return self._typed([generator.rows(part) for part in parts])

    def _typed(self, parts: list[pa.RecordBatch]) -> Any:
        table = pa.Table.from_batches(parts)
        cells = [whole(column) for column in table.columns]
        if self.types_ is None:
            return np.column_stack([column.to_numpy(zero_copy_only=False) for column in cells]).astype(np.float64)
        columns = [typed(column, kind) for column, kind in zip(cells, self.types_, strict=True)]
        return pd.concat(columns, axis=1).set_axis(self.types_.index, axis=1)
