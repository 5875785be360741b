"""The default model of series: nearest windows, components and residuals together, and a Gaussian that fills."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from anomalo.errors import UsageError
from anomalo.plugin import Cells, Encoded, Filled, Floats, Model, Run, Scores, is_goal
from anomalo_series.sample import mean_of, sampled
from anomalo_series.window_model import WindowModel

CELLS = 1000
"""Of wide windows, single cells are looked for among so many."""
SAMPLED = 2000
"""Training windows by which their variance is known, at most."""


@dataclass(kw_only=True)
class Auto(Model):
    """Scores windows by the mean of three models, and fills missing cells by a fourth.

    `neighbours` and `sub_pca` look at windows as a whole, `largest_residual` for single cells. They score in the same
    unit, times the usual, with a high power: a window that is anomalous to one of them is anomalous. The first two
    together count as much as the third, each by the share of the variance of training windows that it explains, 1 less
    its usual energy over the variance, so that neighbours have no say where windows are too few or too wide to have
    near ones. Of wide windows the third sees the last points alone. `gaussian` fills missing cells, and says what is
    expected of cells if it was fitted.

    Reference: Aggarwal and Sathe (2015), Theoretical foundations and algorithms for outlier ensembles, SIGKDD
    Explorations 17.
    """

    name = "auto"
    modalities = ("series",)
    score_unit = "times the usual"

    @property
    def score_power(self) -> float:
        """That of the members, which have the default."""
        return WindowModel.power

    def fit(self, data: Encoded, run: Run) -> Self:
        """Fit the scoring models to score, and the filling one to impute."""
        if is_goal(run.goals, "score"):
            self.neighbours_ = run.create("neighbours").fit(data, run)
            self.components_ = run.create("sub_pca").fit(data, run)
            self.residuals_ = run.create("largest_residual").fit(last_points(data), run)
            levels = [member.level_ for member in self._members()[:2]]
            self.weights_ = [*(0.5 * weight for weight in weights(levels, variance(data, run))), 0.5]
        if is_goal(run.goals, "impute"):
            self.gaussian_ = run.create("gaussian").fit(data, run)
        return self

    def extend(self, data: Encoded, run: Run) -> Self:
        """Fit the filling model as well."""
        return self.fit(data, run)

    def score(self, data: Encoded) -> Scores:
        """Return the weighted mean score of the members, float64 [n]."""
        members, seen = self._members(), (data, data, last_points(data))
        scores = [weight * one.score(part) for weight, one, part in zip(self.weights_, members, seen, strict=True)]
        return np.asarray(np.sum(scores, axis=0), dtype=np.float64)

    def explain(self, data: Encoded) -> Cells:
        """Return the weighted mean of the members' parts, and what the Gaussian expects, or else the components."""
        *whole, last = self._members()
        cells, of_last = [member.explain(data) for member in whole], last.explain(last_points(data))
        parts = np.sum([weight * one.contribution for weight, one in zip(self.weights_, cells, strict=False)], axis=0)
        parts[:, -of_last.contribution.shape[1] :] += self.weights_[-1] * of_last.contribution
        return Cells(np.asarray(parts, dtype=np.float64), self._expected(data, cells[-1].expected))

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        """Fill hidden cells by the Gaussian; by the components, if it was fitted to score alone.

        Raises
        ------
        UsageError
            `draws` is not 0, and it was not fitted to impute.
        """
        filler: Any = vars(self).get("gaussian_") or self._fitted("components_", "score")
        found: Filled = filler.impute(data, draws)
        return found

    def _expected(self, data: Encoded, otherwise: Floats) -> Floats:
        filler: Any = vars(self).get("gaussian_")
        found: Floats = otherwise if filler is None else filler.explain(data).expected
        return found

    def _members(self) -> list[Any]:
        return [self._fitted(name, "score") for name in ("neighbours_", "components_", "residuals_")]

    def _fitted(self, name: str, verb: str) -> Any:
        found = vars(self).get(name)
        if found is None:
            raise UsageError(f"this model was not fitted to {verb}: expected a fit for it; fit it again for this verb")
        return found


def last_points(data: Encoded) -> Encoded:
    """Return the last points of windows, so many that they have at most `CELLS` cells, two at least; or the windows."""
    width, channels = data.layout.shape
    last = min(width, max(2, CELLS // channels))
    if last == width:
        return data
    layout = replace(data.layout, shape=(last, channels))
    season = None if data.season is None else data.season[:, -last:]
    return Encoded(data.values[:, -last:], data.observed[:, -last:], layout, season=season)


def variance(data: Encoded, run: Run) -> float:
    """Return the mean squared deviation of cells from their means over training windows."""
    matrix = sampled(data, run, SAMPLED)
    squares = np.square(np.where(matrix.seen, matrix.values - mean_of(matrix), 0.0))
    return float(squares.sum() / max(int(matrix.seen.sum()), 1))


def weights(levels: Sequence[float], total: float) -> list[float]:
    """Return the share of the variance that each level leaves explained, of their sum; equal ones if none does.

    Examples
    --------
    >>> weights([0.5, 0.75], 1.0), weights([1.5, 0.9], 1.0), weights([2.0, 2.0], 1.0)
    ([0.6666666666666666, 0.3333333333333333], [0.0, 1.0], [0.5, 0.5])
    """
    explained = [max(0.0, 1 - level / total) if total > 0 else 0.0 for level in levels]
    whole = sum(explained)
    return [share / whole if whole > 0 else 1 / len(levels) for share in explained]
