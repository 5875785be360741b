"""The imputer `median`: numbers by their median, categories by their most frequent level."""

from dataclasses import dataclass

import numpy as np

from anomalo.plugin import Floats
from anomalo_baselines.imputers.marginal import MarginalImputer


@dataclass(kw_only=True)
class MedianImputer(MarginalImputer):
    """The median of a number's training values; of a category the most frequent level."""

    name = "median"

    def centre(self, values: Floats) -> float:
        """Return the median: with an even count the mean of the two values in the middle."""
        return float(np.median(values.astype(np.float64)))
