"""Strange rows in the training table: how much the members that withstand them count, and which rows they suspect."""

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Scores
from anomalo_auto.fusion import power_mean

SUSPECTED = 0.02
"""The share of training rows, strangest to the guards, that a witness is asked about."""
LEAST_TRUST, RISE, MOST_TRUST = 0.4, 4.0, 2.0
"""What a guard counts if nothing is hidden, how that rises with the hidden share, and where it ends."""
TRIMMED = 0.15
"""The share of the rows that is left out where strange ones are known to be among them."""


def suspicion(energies: Scores) -> Scores:
    """Return how strange rows are to the guards together, float64 [n] in nats, from energies [guards, n]."""
    return power_mean(energies, np.full(len(energies), 1 / len(energies)))


def hidden(suspicion: Scores, witness: Scores) -> float:
    """Return how ordinary the rows that the guards suspect are to a witness, between 0 and 1.

    Strange rows that lie close together hide each other from a witness that looks at its nearest rows, not from guards
    that look at each column alone or leave the strangest rows out of their estimate. The result is the mean share of
    rows that the witness finds stranger than one of those that the guards suspect most.

    Parameters
    ----------
    suspicion, witness : float64 [n]
        Scores of the training rows by the guards together, and by a member that strange rows can deceive.
    """
    from scipy.stats import rankdata

    rows = len(suspicion)
    suspects = np.argsort(-suspicion, kind="stable")[: max(3, int(np.ceil(SUSPECTED * rows)))]
    return float(1 - rankdata(witness)[suspects].mean() / rows)


def trust(hidden: float) -> float:
    """Return how much a guard counts beside another member, given what is hidden from the witness."""
    return min(LEAST_TRUST + RISE * hidden, MOST_TRUST)


def unsuspected(suspicion: Scores) -> NDArray[np.intp]:
    """Return the positions of the rows that the guards suspect least, all but `TRIMMED` of them, ascending."""
    kept = max(1, round((1 - TRIMMED) * len(suspicion)))
    return np.sort(np.argsort(suspicion, kind="stable")[:kept])
