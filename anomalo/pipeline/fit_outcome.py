"""A fitted model with what its fit computed of the training rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.encoded import Encoded, Scores

if TYPE_CHECKING:
    from anomalo.pipeline.fitted import Fitted


@dataclass(frozen=True)
class FitOutcome:
    """A fitted model, and what its fit computed of the training rows.

    Attributes
    ----------
    fitted : Fitted
        The model.
    data : Encoded [n]
        The training rows as the model scores them, without the label; where it learned classes, those that have one.
    scores : float64 [n] or None
        The model's scores of them, as `Fitted.score` takes them; None if it was not calibrated.
    """

    fitted: Fitted
    data: Encoded
    scores: Scores | None

    def take(self, rows: NDArray[np.intp]) -> FitOutcome:
        """Return the outcome with the rows in another order."""
        return replace(self, data=self.data.take(rows), scores=None if self.scores is None else self.scores[rows])
