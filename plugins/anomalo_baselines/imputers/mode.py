"""The imputer `mode`: every column by its most frequent value."""

from dataclasses import dataclass

import numpy as np

from anomalo.plugin import Floats
from anomalo_baselines.imputers.marginal import MarginalImputer


@dataclass(kw_only=True)
class ModeImputer(MarginalImputer):
    """The most frequent of a column's training values; of equally frequent ones the smallest."""

    name = "mode"

    def centre(self, values: Floats) -> float:
        """Return the most frequent value."""
        distinct, counts = np.unique(values, return_counts=True)
        return float(distinct[counts.argmax()])
