"""Rows of a batch drawn by their codes, so that generators see rare ones more often."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def draw_rows_by_code(
    codes: Tensor, n: int, weight: Callable[[Tensor], Tensor], label: int = -1
) -> tuple[Tensor, Tensor]:
    """Draw n rows of a batch, and a column of codes of each, so that rare codes are seen more often.

    A column is drawn, then a code of it in proportion to the weight of its frequency in the batch, then a row that has
    it (training by sampling, here within the batch). If a model is given that code, what it learns of the other cells
    given it is not biased.

    Reference: Xu et al. (2019), Modeling tabular data using conditional GAN, NeurIPS, section 4.3 (the weight there is
    the logarithm).

    Parameters
    ----------
    codes : int64 [batch, columns]
        At least one of each.
    n : int
        Rows to draw.
    weight : callable
        Maps frequencies, float32 and 1 or more, to weights: `torch.ones_like` makes codes equally frequent.
    label : int
        The only column to draw, if synthetic rows are conditioned on it alone; -1 for all.

    Returns
    -------
    int64 [n], int64 [n]
        Rows of the batch, and the column of each whose code is to be given.
    """
    first, last = (label, label + 1) if label >= 0 else (0, codes.shape[1])
    column = torch.randint(first, last, (n,), device=codes.device)
    shown = codes[:, column].T  # (n, batch)
    frequency = torch.zeros(n, int(codes.max()) + 1, device=codes.device)
    frequency.scatter_add_(1, shown, torch.ones_like(shown, dtype=frequency.dtype))
    found = frequency.gather(1, shown)
    return torch.multinomial(weight(found) / found, 1).squeeze(1), column
