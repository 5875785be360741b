"""How close synthetic rows are to real ones: coverage, and a warning of mode collapse."""

from __future__ import annotations

import torch
from torch import Tensor

NEIGHBOURS = 5
SUFFICIENT_COVERAGE = 0.6
"""Below this coverage users are warned; that of equal distributions is about 0.97."""


def coverage(real: Tensor, synthetic: Tensor) -> float:
    """Return the share of real rows [n, width] that have a synthetic row [n, width] near them, from 0 to 1.

    Near is nearer than the real row's fifth neighbour among the real ones.

    Reference: Naeem et al. (2020), Reliable fidelity and diversity metrics for generative models, ICML.
    """
    if len(real) <= NEIGHBOURS:
        return 1.0
    # Row 0 of the sorted distances is the row itself.
    radius = torch.cdist(real, real).kthvalue(NEIGHBOURS + 1, dim=1).values
    return float((torch.cdist(real, synthetic).amin(dim=1) <= radius).float().mean())


def collapse_warning(covered: float) -> str:
    """Return a warning that the generator covers only this share of the table, in a sentence."""
    return (
        f"mode collapse: the generator makes rows like only {100 * covered:.0f} % of the table's; "
        "train for more epochs, or set minibatch=discrimination, pack=8 or replay=10000"
    )
