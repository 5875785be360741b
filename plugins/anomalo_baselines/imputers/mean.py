"""The imputer `mean`: numbers by their mean, categories by their most frequent level."""

from dataclasses import dataclass

import numpy as np

from anomalo.plugin import Floats
from anomalo_baselines.imputers.marginal import MarginalImputer


@dataclass(kw_only=True)
class MeanImputer(MarginalImputer):
    """The mean of a number's training values, in encoded units; of a category the most frequent level."""

    name = "mean"

    def centre(self, values: Floats) -> float:
        """Return the mean."""
        return float(values.mean(dtype=np.float64))
