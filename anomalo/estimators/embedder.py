"""`TableEmbedder`: rows as latent codes, and codes as rows."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import TransformerMixin
from sklearn.utils.validation import check_is_fitted

from anomalo.encoding.encoded import Encoded
from anomalo.errors import UsageError
from anomalo.estimators.base import TableEstimator
from anomalo.estimators.columns import Choices
from anomalo.estimators.frames import typed
from anomalo.models.base import Model


class TableEmbedder(TransformerMixin, TableEstimator):  # type: ignore[misc]
    """Embed rows as latent codes of a model, and decode any code to a row.

    Parameters
    ----------
    model, params, columns, random_state, device
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
        columns: Choices = None,
        round: bool = True,
        random_state: int | np.random.RandomState | np.random.Generator | None = 0,
        device: str = "auto",
    ) -> None:
        self.model = model
        self.params = params
        self.columns = columns
        self.round = round
        self.random_state = random_state
        self.device = device

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit on a DataFrame or a numeric array [n, columns], which may have missing values; `y` is ignored."""
        self._fit(X, "embed", calibrate=False)
        self.types_ = X.dtypes if isinstance(X, pd.DataFrame) else None
        self.latent_ = self.fitted_.embed(Encoded.blank(self.fitted_.encoder.layout)).shape[1]
        return self

    def transform(self, X: Any) -> NDArray[np.float64]:
        """Return the rows' codes, float64 [n, latent]; the model computes them from the observed cells."""
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
        Columns that no model reads are empty.

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
