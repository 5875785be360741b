"""`AnomalyDetector`: rows scored, with p-values and contributions."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import OutlierMixin
from sklearn.utils.validation import check_is_fitted

from anomalo.errors import UsageError
from anomalo.estimators.base import TableEstimator
from anomalo.estimators.columns import Choices
from anomalo.models.base import Model
from anomalo.pipeline.cell_tables import cells_table

AUTO_SHARE = 0.01
"""With contamination="auto", rows that are more anomalous than 99 % of the training rows are outliers."""


class AnomalyDetector(OutlierMixin, TableEstimator):  # type: ignore[misc]
    """Find anomalous rows, and the cells that make them anomalous.

    Parameters
    ----------
    model : str or Model
        A registered model's name, or an instance, of any class, whose hyperparameters are used.
    params : dict, optional
        Hyperparameters, where `model` is a name.
    columns : dict or SchemaOptions, optional
        What columns are, by name, where it should not be inferred: a kind ("number", "integer", "boolean", "category",
        "datetime", "identifier" or "text") or a role ("id", "label" or "drop"). `SchemaOptions` says more, such as
        values that stand for a missing cell.
    effort : str, optional
        How much work a fit may take: "fast", "default" or "thorough"; for a model with such a parameter.
    contamination : "auto" or float in (0, 0.5]
        The share of training rows to call outliers; "auto" calls rows outliers that are more anomalous than
        99 % of the training rows, each of those scored by a model that never saw it if calibrated, and
        at least the most anomalous training row.
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
        columns: Choices = None,
        effort: str | None = None,
        contamination: float | str = "auto",
        calibrate: bool = True,
        random_state: int | np.random.RandomState | np.random.Generator | None = 0,
        device: str = "auto",
    ) -> None:
        self.model = model
        self.params = params
        self.columns = columns
        self.effort = effort
        self.contamination = contamination
        self.calibrate = calibrate
        self.random_state = random_state
        self.device = device

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit on a DataFrame or a numeric array [n, columns], which may have missing values; `y` is ignored.

        Raises
        ------
        ValueError
            A parameter or the table is not usable.
        """
        share = AUTO_SHARE if self.contamination == "auto" else self.contamination
        if not isinstance(share, int | float | np.floating) or not 0 < share <= 0.5:
            raise UsageError(f"contamination={self.contamination!r}: expected 'auto' or a number in (0, 0.5]")
        outcome = self._fit(X, "score", calibrate=self.calibrate)
        scores = -self.fitted_.score_as_new(outcome.data, outcome.scores)
        self.offset_ = self._offset(scores, float(share))
        return self

    def _offset(self, scores: NDArray[np.float64], share: float) -> float:
        reference = -self.fitted_.calibration.reference
        if self.contamination != "auto" or not len(reference):
            return float(np.quantile(scores, share))
        # Rows look more normal to a model that saw them, but the most anomalous one is still an outlier.
        second_most_anomalous = np.unique(scores)[:2][-1]
        return float(max(np.quantile(reference, share), second_most_anomalous))

    def score_samples(self, X: Any) -> NDArray[np.float64]:
        """Return how normal each row is, float64 [n]: the negative anomaly score, which the fitted model gives.

        It has seen the rows that it was fitted on, and finds them more normal than `p_values` does.
        """
        _, data = self._encode(X)
        return -self.fitted_.score_as_new(data)

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return `score_samples` less `offset_`, float64 [n]: negative for outliers."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> NDArray[np.int_]:
        """Return 1 for normal rows and -1 for outliers, int [n]."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def p_values(self, X: Any) -> NDArray[np.float64]:
        """Return the share of normal rows that are at least as anomalous as each row, float64 [n].

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
        """Return one line for each cell: row, column, contribution, observed, expected, low, high.

        Where the model explains itself, contributions of a row that was in training sum to the out-of-fold score that
        its p-value comes from, those of a new row to its score.
        """
        batch, data = self._encode(X)
        found: pd.DataFrame = cells_table(self.fitted_, batch, np.arange(len(data)), data).to_pandas()
        return found
