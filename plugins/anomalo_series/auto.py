"""The default model of series: nearest windows and components together, and a Gaussian that fills."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from anomalo.errors import UsageError
from anomalo.plugin import Cells, Encoded, Filled, Floats, Model, Run, Scores, is_goal


@dataclass(kw_only=True)
class Auto(Model):
    """Scores windows by the mean of two models, and fills holes by a third.

    `neighbours` and `sub_pca` score in the same unit, times the usual, with a high power: a window that is strange to
    one of them is strange. `gaussian` fills holes, and says what is expected of cells if it was fitted.

    Reference: Aggarwal and Sathe (2015), Theoretical foundations and algorithms for outlier ensembles, SIGKDD
    Explorations 17.
    """

    name = "auto"
    modalities = ("series",)
    score_unit = "times the usual"

    def fit(self, data: Encoded, run: Run) -> Self:
        """Fit the scoring models to score, and the filling one to impute."""
        if is_goal(run.goals, "score"):
            self.neighbours_ = run.create("neighbours").fit(data, run)
            self.components_ = run.create("sub_pca").fit(data, run)
        if is_goal(run.goals, "impute"):
            self.gaussian_ = run.create("gaussian").fit(data, run)
        return self

    def extend(self, data: Encoded, run: Run) -> Self:
        """Fit the filling model as well."""
        return self.fit(data, run)

    def score(self, data: Encoded) -> Scores:
        """Return the mean score of the members, float64 [n]."""
        return np.asarray(np.mean([member.score(data) for member in self._members()], axis=0), dtype=np.float64)

    def explain(self, data: Encoded) -> Cells:
        """Return the mean of the members' parts, and what the filling model expects, or else the components."""
        cells = [member.explain(data) for member in self._members()]
        parts = np.asarray(np.mean([one.contribution for one in cells], axis=0), dtype=np.float64)
        return Cells(parts, self._expected(data, cells[-1].expected))

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        """Fill hidden cells by the Gaussian.

        Raises
        ------
        UsageError
            It was not fitted to impute.
        """
        found: Filled = self._fitted("gaussian_", "impute").impute(data, draws)
        return found

    def _expected(self, data: Encoded, otherwise: Floats) -> Floats:
        filler: Any = vars(self).get("gaussian_")
        found: Floats = otherwise if filler is None else filler.explain(data).expected
        return found

    def _members(self) -> list[Any]:
        return [self._fitted("neighbours_", "score"), self._fitted("components_", "score")]

    def _fitted(self, name: str, verb: str) -> Any:
        found = vars(self).get(name)
        if found is None:
            raise UsageError(f"this model was not fitted to {verb}: expected a fit for it; fit it again for this verb")
        return found
