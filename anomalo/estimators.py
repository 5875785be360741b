"""The scikit-learn face: `AnomalyDetector` and `TableImputer`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, OutlierMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from anomalo.cells import cells_table
from anomalo.errors import SchemaError, UsageError
from anomalo.fitted import Fitted
from anomalo.plan import Plan
from anomalo.plugin import Encoded, Model
from anomalo.registry import Registry
from anomalo.schema import SchemaOptions, infer, require_unique

AUTO_SHARE = 0.01
"""With contamination="auto", rows stranger than 99 % of the training rows are outliers."""


class _TableEstimator(BaseEstimator):  # type: ignore[misc]
    """What both estimators share: from X to a batch, to a fitted model, to encoded rows."""

    model: str | Model
    params: dict[str, Any] | None
    random_state: int | np.random.RandomState | np.random.Generator | None
    device: str
    fitted_: Fitted

    def _batch(self, X: Any, *, reset: bool) -> pa.RecordBatch:
        """Check X against scikit-learn's rules and return it as one Arrow batch."""
        columns: Sequence[Any]
        if isinstance(X, pd.DataFrame):
            names = [str(name) for name in X.columns]
            require_unique(names, "X")
            validate_data(self, X, reset=reset, skip_check_array=True)
            if not X.size:
                raise UsageError(f"X has 0 sample(s) or 0 feature(s) (shape={X.shape}); expected at least one of each")
            columns = [X.iloc[:, at] for at in range(len(names))]
        else:
            # Infinite numbers are left to the encoder, which names the column.
            columns = validate_data(self, X, reset=reset, dtype=np.float64, ensure_all_finite=False).T
            names = _generated(len(columns))
        if not reset:
            known = [column.name for column in self.fitted_.schema.columns]
            # An array has no names to go by: its columns are found by position.
            names = known if _generated(len(known)) in (names, known) else names
        arrays = [_arrow(name, column) for name, column in zip(names, columns, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, names=names)

    def _fit(self, X: Any, verb: str, *, calibrate: bool) -> None:
        if not isinstance(self.model, str | Model):
            raise UsageError(f"model={self.model!r}: expected a model's name, or an instance such as MyModel()")
        if self.params and isinstance(self.model, Model):
            raise UsageError(f"params={self.params!r}: expected none, for the model is an instance; give them to it")
        registry = Registry.load()
        plan = Plan(
            self.model, self.params or {}, seed=_seed(self.random_state), device=self.device, calibrate=calibrate
        )
        model = plan.create(registry)
        if verb not in model.verbs():
            raise UsageError(f"model {model.name!r} cannot {verb}; it can: {', '.join(model.verbs())}")
        table = pa.Table.from_batches([self._batch(X, reset=True)])
        self.fitted_ = Fitted.fit(table, infer(table, SchemaOptions()), plan, registry)
        for text in self.fitted_.warnings:
            warnings.warn(text, UserWarning, stacklevel=3)

    def _encode(self, X: Any) -> tuple[pa.RecordBatch, Encoded]:
        check_is_fitted(self, "fitted_")
        batch = self._batch(X, reset=False)
        return batch, self.fitted_.encoder.encode(batch)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


class AnomalyDetector(OutlierMixin, _TableEstimator):  # type: ignore[misc]
    """Find strange rows, and the cells that make them so.

    Parameters
    ----------
    model : str or Model
        A registered model's name, or an instance whose hyperparameters are used.
    params : dict, optional
        Hyperparameters, where `model` is a name.
    contamination : "auto" or float in (0, 0.5]
        The share of training rows to call outliers; "auto" calls rows outliers that are stranger than
        99 % of the training rows, each of those judged by a model that never saw it if calibrated, and
        at least the strangest training row.
    calibrate : bool
        Whether to cross-fit, for `p_values` and for intervals of expected values (3 to 5 further fits).
    random_state : int, RandomState, Generator or None
        The seed, or what to draw it from; None takes a new one each time.
    device : str
        "auto", "cpu", "cuda", "cuda:N" or "mps".

    Attributes
    ----------
    fitted_ : Fitted
        Schema, encoder, model and calibration.
    offset_ : float
        `decision_function` is `score_samples` less this.

    Examples
    --------
    >>> rows = pd.DataFrame({"size": [1.0, 1.1, 0.9, 1.2, 9.0], "colour": ["red", "blue", "red", "blue", "red"]})
    >>> detector = AnomalyDetector(model="knn", params={"neighbours": 2}, contamination=0.2).fit(rows)
    >>> detector.predict(rows).tolist()
    [1, 1, 1, 1, -1]
    """

    offset_: float

    def __init__(
        self,
        model: str | Model = "undercomplete",
        *,
        params: dict[str, Any] | None = None,
        contamination: float | str = "auto",
        calibrate: bool = True,
        random_state: int | np.random.RandomState | np.random.Generator | None = 0,
        device: str = "auto",
    ) -> None:
        self.model = model
        self.params = params
        self.contamination = contamination
        self.calibrate = calibrate
        self.random_state = random_state
        self.device = device

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit on a DataFrame or a numeric array [n, columns], holes allowed; `y` is ignored.

        Raises
        ------
        ValueError
            A parameter or the table is not usable.
        """
        share = AUTO_SHARE if self.contamination == "auto" else self.contamination
        if not isinstance(share, int | float | np.floating) or not 0 < share <= 0.5:
            raise UsageError(f"contamination={self.contamination!r}: expected 'auto' or a number in (0, 0.5]")
        self._fit(X, "score", calibrate=self.calibrate)
        self.offset_ = self._offset(self.score_samples(X), float(share))
        return self

    def _offset(self, scores: NDArray[np.float64], share: float) -> float:
        reference = -self.fitted_.calibration.reference
        if self.contamination != "auto" or not len(reference):
            return float(np.quantile(scores, share))
        # Rows look more normal to a model that saw them, but the strangest one is an outlier all the same.
        strangest_but_one = np.unique(scores)[:2][-1]
        return float(max(np.quantile(reference, share), strangest_but_one))

    def score_samples(self, X: Any) -> NDArray[np.float64]:
        """Return how normal each row is, float64 [n]: the negative anomaly score."""
        _, data = self._encode(X)
        return -self.fitted_.score(data).score

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return `score_samples` less `offset_`, float64 [n]: negative for outliers."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> NDArray[np.int_]:
        """Return 1 for normal rows and -1 for outliers, int [n]."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def p_values(self, X: Any) -> NDArray[np.float64]:
        """Return the share of normal rows at least as strange as each row, float64 [n].

        Raises
        ------
        UsageError
            The detector was fitted with `calibrate=False`.
        """
        check_is_fitted(self, "fitted_")
        if not len(self.fitted_.calibration.reference):
            raise UsageError("p_values needs a calibrated detector: fit with calibrate=True on two or more unlike rows")
        _, data = self._encode(X)
        return self.fitted_.score(data).p_value

    def explain(self, X: Any) -> pd.DataFrame:
        """Return one line for each cell: row, column, contribution, observed, expected, low, high."""
        batch, data = self._encode(X)
        found: pd.DataFrame = cells_table(self.fitted_, batch, np.arange(len(data)), data).to_pandas()
        return found


class TableImputer(OneToOneFeatureMixin, TransformerMixin, _TableEstimator):  # type: ignore[misc]
    """Fill missing cells: observed cells, column order and types stay as they are.

    Parameters
    ----------
    model, params, random_state, device
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
        model: str | Model = "undercomplete",
        *,
        params: dict[str, Any] | None = None,
        round: bool = True,
        random_state: int | np.random.RandomState | np.random.Generator | None = 0,
        device: str = "auto",
    ) -> None:
        self.model = model
        self.params = params
        self.round = round
        self.random_state = random_state
        self.device = device

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit on a DataFrame or a numeric array [n, columns]; `y` is ignored."""
        self._fit(X, "impute", calibrate=False)
        return self

    def transform(self, X: Any) -> Any:
        """Return X with its missing cells filled: a DataFrame for a DataFrame, else a float64 array.

        Missing is what pandas calls so. Columns that were empty in training, or hold identifiers or free
        text, stay as they are. A column of nullable integers becomes one of nullable floats only if it is
        filled with `round=False`, and a categorical one gains a category only if a fill is not among its own.
        """
        batch, data = self._encode(X)
        filled = self.fitted_.encoder.fill(batch, self.fitted_.impute(data).point, round=self.round)
        if not isinstance(X, pd.DataFrame):
            return np.column_stack([column.to_numpy(zero_copy_only=False) for column in filled.columns])
        out = X.copy()
        for at, cells in enumerate(filled.columns):
            out.isetitem(at, _fill(X.iloc[:, at], cells))
        return out


def _generated(width: int) -> list[str]:
    """Return the names of the columns of an array."""
    return [f"x{at}" for at in range(width)]


def _seed(random_state: Any) -> int:
    if isinstance(random_state, int | np.integer) and random_state >= 0:
        return int(random_state)
    if random_state is None:
        random_state = np.random.default_rng()
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31))
    raise UsageError(f"random_state={random_state!r}: expected None, a whole number from 0, or a random generator")


def _arrow(name: str, values: Any) -> pa.Array:
    """Return a column [n] as Arrow has it; numbers share its memory."""
    try:
        array = pa.array(values, from_pandas=True)
    except (pa.ArrowException, OverflowError, TypeError) as error:
        raise SchemaError(
            f"column {name!r} of type {values.dtype} cannot be read: {error}; "
            "expected cells of one plain type, convert it or drop it"
        ) from error
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _fill(column: Any, cells: pa.Array) -> Any:
    """Return a Series [n] whose missing cells are taken from `cells` [n]; all others stay as they are."""
    holes = column.isna().to_numpy()
    fills = cells.filter(pa.array(holes))
    if not len(fills) or fills.null_count:
        return column
    values: Any = fills.to_pandas()
    if isinstance(column.dtype, pd.CategoricalDtype):
        values = values.astype(column.dtype.categories.dtype)
        column = column.cat.add_categories(pd.Index(values.unique()).difference(column.cat.categories))
    elif pd.api.types.is_integer_dtype(column.dtype) and pa.types.is_floating(fills.type):
        column = column.astype("double[pyarrow]" if isinstance(column.dtype, pd.ArrowDtype) else "Float64")
    column = column.copy()
    column.iloc[np.flatnonzero(holes)] = values.to_numpy() if column.dtype == object else values.array
    return column
