"""A random sample of the training rows, for models that learn from or keep a limited number of them."""

import numpy as np

from anomalo.plugin import Encoded, Run


def subsample(data: Encoded, rows: int, run: Run) -> Encoded:
    """Return the data, or a random sample of `rows` of its rows, in their order."""
    return data if len(data) <= rows else data.take(np.sort(run.rng.choice(len(data), rows, replace=False)))
