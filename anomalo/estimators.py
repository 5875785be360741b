"""The scikit-learn face: `AnomalyDetector` and `TableImputer`."""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, OutlierMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from anomalo.cells import cells_table
from anomalo.errors import UsageError
from anomalo.fitted import Fitted, Plan
from anomalo.plugin import Model
from anomalo.registry import Registry
from anomalo.schema import SchemaOptions, infer

AUTO_SHARE = 0.01
"""With contamination="auto", rows stranger than 99 % of the training rows are outliers."""


class _TableEstimator(BaseEstimator):  # type: ignore[misc]
    """What both estimators share: from X to a table, to a fitted model, to encoded rows."""

    model: str | Model
    params: dict[str, Any] | None
    random_state: int | None
    device: str

    def _table(self, X: Any, *, reset: bool) -> pa.Table:
        """Check X against scikit-learn's rules and return it as an Arrow table."""
        if isinstance(X, pd.DataFrame):
            validate_data(self, X, reset=reset, skip_check_array=True)
            if not len(X):
                raise UsageError("Found array with 0 sample(s): expected at least one row")
            return pa.Table.from_pandas(X.rename(columns=str), preserve_index=False)
        array = validate_data(self, X, reset=reset, dtype=np.float64, ensure_all_finite="allow-nan")
        return pa.table({f"x{j}": pa.array(array[:, j], from_pandas=True) for j in range(array.shape[1])})

    def _fit(self, X: Any, verb: str, *, calibrate: bool) -> None:
        table = self._table(X, reset=True)
        registry = Registry.load()
        seed = int(np.random.default_rng().integers(2**31)) if self.random_state is None else self.random_state
        plan = Plan(self.model, self.params or {}, seed=seed, device=self.device, calibrate=calibrate)
        model = plan.create(registry)
        if verb not in model.verbs():
            raise UsageError(f"model {model.name!r} cannot {verb}; it can: {', '.join(model.verbs())}")
        schema = infer(table, SchemaOptions())
        self.fitted_ = Fitted.fit(table, schema, plan, registry)
        for text in self.fitted_.warnings:
            warnings.warn(text, UserWarning, stacklevel=3)

    def _encode(self, X: Any) -> tuple[pa.RecordBatch, Any]:
        check_is_fitted(self, "fitted_")
        batch = self._table(X, reset=False).combine_chunks().to_batches()[0]
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
        99 % of the training rows, each of those judged by a model that never saw it if calibrated.
    calibrate : bool
        Whether to cross-fit, for `p_values` and for intervals of expected values (3 to 5 further fits).
    random_state : int or None
        The seed; None takes a new one each time.
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
    >>> rows = pd.DataFrame({"size": [1.0, 1.1, 0.9, 1.0, 9.0] * 6, "colour": ["red", "blue"] * 15})
    >>> detector = AnomalyDetector(model="knn", contamination=0.2).fit(rows)
    >>> detector.predict(rows)[:5].tolist()
    [1, 1, 1, 1, -1]
    """

    def __init__(
        self,
        model: str | Model = "undercomplete",
        *,
        params: dict[str, Any] | None = None,
        contamination: float | str = "auto",
        calibrate: bool = True,
        random_state: int | None = 0,
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
        if isinstance(share, str) or not 0 < share <= 0.5:
            raise UsageError(f"contamination={self.contamination!r}: expected 'auto' or a number in (0, 0.5]")
        self._fit(X, "score", calibrate=self.calibrate)
        reference = -self.fitted_.calibration.reference
        judged = reference if self.contamination == "auto" and len(reference) else self.score_samples(X)
        self.offset_ = float(np.quantile(judged, share))
        return self

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
        _, data = self._encode(X)
        if not len(self.fitted_.calibration.reference):
            raise UsageError("p_values needs a calibrated detector: fit with calibrate=True")
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
        random_state: int | None = 0,
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

        Columns that were empty in training stay as they are.
        """
        batch, data = self._encode(X)
        filled = self.fitted_.encoder.fill(batch, self.fitted_.impute(data).point, round=self.round)
        if not isinstance(X, pd.DataFrame):
            return np.column_stack([column.to_numpy(zero_copy_only=False) for column in filled.columns])
        out = X.copy()
        for at, (name, kind) in enumerate(X.dtypes.items()):
            holes = X.iloc[:, at].isna().to_numpy()
            if holes.any():
                fills = filled.column(str(name)).to_pandas()
                column: Any = X.iloc[:, at].where(~holes, fills.set_axis(X.index)).astype(kind)
                out.isetitem(at, column)
        return out
