"""`TableClassifier`: the scikit-learn estimator that learns classes of rows from labels."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, column_or_1d

from anomalo.encoding.target import Target
from anomalo.errors import UsageError
from anomalo.estimators.base import TableEstimator
from anomalo.estimators.columns import Choices
from anomalo.models.base import Model
from anomalo.pipeline.fitted import Fitted


class TableClassifier(ClassifierMixin, TableEstimator):  # type: ignore[misc]
    """Learn classes of rows, from few labels if there is a pretrained encoder to start from.

    Parameters
    ----------
    model, params, columns, random_state, device
        As in `AnomalyDetector`; the model has to classify.
    initial : estimator, optional
        An `AnomalyDetector`, `TableImputer` or `TableEmbedder` whose model is pretrained, with its columns and scales.
        If it is not fitted it is fitted on X, rows without a label included. To keep a fitted one in a
        cross-validation, wrap it in scikit-learn's `FrozenEstimator`: like any estimator it is refitted otherwise.

    Attributes
    ----------
    fitted_ : Fitted
        Schema, encoder and model.
    classes_ : array [classes]
        In ascending order.

    Examples
    --------
    >>> rows = pd.DataFrame({"size": [1.0, 1.2, 5.0, 5.5] * 8, "colour": ["red", "blue"] * 16})
    >>> kind = ["small", "small", "large", "large"] * 8
    >>> TableClassifier(random_state=0).fit(rows, kind).predict(rows).tolist()[:4]
    ['small', 'small', 'large', 'large']
    """

    classes_: NDArray[Any]

    def __init__(
        self,
        model: str | Model = "classifier",
        *,
        params: dict[str, Any] | None = None,
        columns: Choices = None,
        initial: Any = None,
        random_state: int | np.random.RandomState | np.random.Generator | None = 0,
        device: str = "auto",
    ) -> None:
        self.model = model
        self.params = params
        self.columns = columns
        self.initial = initial
        self.random_state = random_state
        self.device = device

    def fit(self, X: Any, y: Any) -> Self:
        """Fit on a DataFrame or a numeric array [n, columns], which may have missing values, and the rows' classes [n].

        A class that is None or NaN is not known; such rows are left out, but for pretraining.

        Raises
        ------
        ValueError
            A parameter, the table or `y` is not usable.
        """
        target = self._target(X, y)
        self._fit(X, "proba", calibrate=False, base=self._base(X), target=target)
        positions = {name: position for position, name in enumerate(target.classes)}
        self.class_positions_ = np.array([positions[str(value)] for value in self.classes_])
        return self

    def _target(self, X: Any, y: Any) -> Target:
        if y is None:
            raise UsageError("TableClassifier requires y to be passed, but the target y is None")
        values = column_or_1d(y, warn=True)
        check_consistent_length(X, values)
        known = ~pd.isna(values)
        found = pd.Series(values[known]).infer_objects().to_numpy()  # without its None, a column has a type again
        if found.dtype.kind == "f":
            assert_all_finite(found, input_name="y")
        check_classification_targets(found)
        self.classes_ = np.unique(found)
        names = np.full(len(values), None, dtype=object)
        names[known] = [str(value) for value in found]
        return Target.of(pa.array(names, pa.string()))

    def _base(self, X: Any) -> Fitted | None:
        initial = self.initial.estimator if isinstance(self.initial, FrozenEstimator) else self.initial
        if initial is None:
            return None
        if not isinstance(initial, TableEstimator):
            raise UsageError(f"initial={initial!r}: expected an estimator such as TableEmbedder('denoising')")
        return (initial if hasattr(initial, "fitted_") else clone(initial).fit(X)).fitted_

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probabilities of `classes_`, float64 [n, classes]."""
        _, data = self._encode(X)
        proba: NDArray[np.float64] = self.fitted_.proba(data).astype(np.float64)[:, self.class_positions_]
        proba /= proba.sum(axis=1, keepdims=True)
        return proba

    def predict(self, X: Any) -> NDArray[Any]:
        """Return each row's most probable class, [n]."""
        proba = self.predict_proba(X)  # first, for it checks that the estimator is fitted
        found: NDArray[Any] = self.classes_[proba.argmax(axis=1)]
        return found
