"""The scikit-learn face: `AnomalyDetector`, `TableImputer` and `TableEmbedder`."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.base import OneToOneFeatureMixin, OutlierMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from anomalo.pipeline.cell_tables import Fills, cells_table
from anomalo.errors import UsageError
from anomalo.encoding.encoded import Encoded
from anomalo.models.base import Model
from anomalo.estimators.base import TableEstimator

AUTO_SHARE = 0.01
"""With contamination="auto", rows stranger than 99 % of the training rows are outliers."""


class AnomalyDetector(OutlierMixin, TableEstimator):  # type: ignore[misc]
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
        model: str | Model = "auto",
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


class TableImputer(OneToOneFeatureMixin, TransformerMixin, TableEstimator):  # type: ignore[misc]
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
        model: str | Model = "auto",
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
        return self._filled(X, self.fitted_.encoder.fill(batch, self.fitted_.impute(data).point, round=self.round))

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
        fills = Fills.of(data, self.fitted_.impute(data, int(draws)))
        return [self._filled(X, fills.fill(self.fitted_, batch, drawn, self.round)) for drawn in fills.draws]

    def cells(self, X: Any) -> pd.DataFrame:
        """Return one line for each missing cell of X: row, column, value, low, high, probability.

        `value` is a string, `low` and `high` are the ends of a 90 % interval of a number, `probability` is that of a
        category's value; what does not apply, or is not known, is empty.
        """
        batch, data = self._encode(X)
        fills = Fills.of(data, self.fitted_.impute(data))
        filled = fills.fill(self.fitted_, batch, round=self.round)
        found: pd.DataFrame = fills.table(self.fitted_, batch, filled, 0).drop("draws").to_pandas()
        return found.sort_values("row", kind="stable", ignore_index=True)

    def _filled(self, X: Any, filled: pa.RecordBatch) -> Any:
        """Return the filled rows as X has them."""
        if not isinstance(X, pd.DataFrame):
            return np.column_stack([column.to_numpy(zero_copy_only=False) for column in filled.columns])
        out = X.copy()
        for at, cells in enumerate(filled.columns):
            out.isetitem(at, _fill(X.iloc[:, at], cells))
        return out


class TableEmbedder(TransformerMixin, TableEstimator):  # type: ignore[misc]
    """Place rows in the space of a model's codes, and lead back from any point of it to a row.

    Parameters
    ----------
    model, params, random_state, device
        As in `AnomalyDetector`.
    round : bool
        Whether decoded cells of columns that hold whole numbers are rounded.

    Attributes
    ----------
    fitted_ : Fitted
        Schema, encoder and model.
    latent_ : int
        The width of a code.
    types_ : Series or None
        The columns' types by name, if it was fitted on a DataFrame.

    Examples
    --------
    >>> rows = pd.DataFrame({"size": [1.0, 3.0, 9.0, 2.0], "colour": ["red", "red", "blue", "red"]})
    >>> embedder = TableEmbedder("linear", params={"latent": 1, "epochs": 3}).fit(rows)
    >>> embedder.transform(rows).shape
    (4, 1)
    >>> list(embedder.inverse_transform([[0.0]]).columns)
    ['size', 'colour']
    """

    def __init__(
        self,
        model: str | Model = "residual",
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
        """Fit on a DataFrame or a numeric array [n, columns], holes allowed; `y` is ignored."""
        self._fit(X, "embed", calibrate=False)
        self.types_ = X.dtypes if isinstance(X, pd.DataFrame) else None
        layout = self.fitted_.encoder.layout
        empty = np.zeros((1, *layout.shape), dtype=np.float32)
        self.latent_ = self.fitted_.embed(Encoded(empty, empty.astype(bool), layout)).shape[1]
        return self

    def transform(self, X: Any) -> NDArray[np.float64]:
        """Return the rows' codes, float64 [n, latent]; missing cells are what the model makes of the others."""
        return self._codes(X)

    def _codes(self, X: Any) -> NDArray[np.float64]:
        _, data = self._encode(X)
        return self.fitted_.embed(data).astype(np.float64)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Return the codes' names: `code_0`, `code_1`, …; `input_features` is ignored."""
        check_is_fitted(self, "fitted_")
        return np.array([f"code_{at}" for at in range(self.latent_)], dtype=object)

    def inverse_transform(self, X: Any) -> Any:
        """Return the rows that codes [n, latent] stand for: a DataFrame if fitted on one, else a float64 array.

        A number is its expectation, within the range seen in training; a category its most probable level.
        Columns that no model reads hold nothing.

        Raises
        ------
        UsageError
            The codes are not of that width, or not finite.
        """
        check_is_fitted(self, "fitted_")
        codes = np.asarray(X, dtype=np.float32)
        if codes.ndim != 2 or codes.shape[1] != self.latent_:
            raise UsageError(f"codes of shape {codes.shape}: expected (n, {self.latent_}), as transform gives")
        if not np.isfinite(codes).all():
            raise UsageError("the codes hold nan or infinite numbers: expected finite ones, as transform gives")
        cells = self.fitted_.decode(codes, round=self.round).columns
        if self.types_ is None:
            return np.column_stack([column.to_numpy(zero_copy_only=False) for column in cells]).astype(np.float64)
        columns = [typed(column, kind) for column, kind in zip(cells, self.types_, strict=True)]
        return pd.concat(columns, axis=1).set_axis(self.types_.index, axis=1)

    def interpolate(self, a: Any, b: Any, steps: int = 5) -> Any:
        """Return rows on the straight line from `a` to `b` in the space of codes, as `inverse_transform` does.

        Parameters
        ----------
        a, b : DataFrame or array [1, columns]
            Both ends, such as `X.iloc[[3]]`.
        steps : int
            How many rows, the decoded ends included; at least 2.

        Raises
        ------
        UsageError
            `a` or `b` is not one row, or `steps` is too small.

        Reference: White (2016), Sampling generative networks, arXiv:1609.04468.
        """
        if not isinstance(steps, int | np.integer) or steps < 2:
            raise UsageError(f"steps={steps!r}: expected a whole number from 2, for both ends are among the rows")
        ends = [self._codes(row) for row in (a, b)]
        for name, codes in zip("ab", ends, strict=True):
            if len(codes) != 1:
                raise UsageError(f"{name} has {len(codes)} rows: expected one, such as X.iloc[[3]] or X[[3]]")
        return self.inverse_transform(np.linspace(ends[0][0], ends[1][0], int(steps)))

    def analogy(self, a: Any, b: Any, c: Any) -> Any:
        """Return what is to `c` as `a` is to `b`: decode(code(a) - code(b) + code(c)), as `inverse_transform` does.

        Parameters
        ----------
        a, b : DataFrame or array [m, columns]
            One row each, or groups of any size, whose mean codes are taken.
        c : DataFrame or array [n, columns]
            The rows to change.

        Reference: Mikolov et al. (2013), Linguistic regularities in continuous space word representations, NAACL;
        Larsen et al. (2016), Autoencoding beyond pixels using a learned similarity metric, ICML, section 3.2 (groups).
        """
        difference = self._codes(a).mean(axis=0) - self._codes(b).mean(axis=0)
        return self.inverse_transform(difference + self._codes(c))


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


def typed(cells: pa.Array, kind: Any) -> Any:
    """Return a column [n] as a Series of the type that it had in training, or the nearest that can hold it."""
    values: Any = cells.to_pandas()
    if isinstance(kind, pd.CategoricalDtype):
        return pd.Series(pd.Categorical(values.astype(kind.categories.dtype), dtype=kind))
    whole = pd.api.types.is_integer_dtype(kind)
    if whole and pa.types.is_floating(cells.type):
        kind = "Float64" if isinstance(kind, pd.api.extensions.ExtensionDtype) else np.float64
    return values.astype(kind).copy()  # Arrow's memory is read-only
