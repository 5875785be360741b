"""Which cells of a training row the generator is given."""

from __future__ import annotations

import torch
from torch import Tensor


def random_columns(n: int, column: Tensor, share: float) -> Tensor:
    """Return which items of n rows are given, float32 [n, items] of 0 and 1.

    A `share` of the rows has something given: half of those one column, the others each column with a chance of their
    own, uniform from 0 to 1. So any set of columns is given now and then, and nothing most often.

    Parameters
    ----------
    column : int64 [items]
        The table's column that each item belongs to: what is known of a column is known together.
    """
    device = column.device
    columns = int(column.max()) + 1
    draw = torch.rand(n, 1, device=device)
    single = torch.randint(columns, (n, 1), device=device) == torch.arange(columns, device=device)
    several = torch.rand(n, columns, device=device) < torch.rand(n, 1, device=device)
    given = torch.where(draw < share / 2, single, several) & (draw < share)
    return given.index_select(1, column).float()


def rare_first(codes: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Draw n rows of a batch, and a column of codes of each, so that rare codes are seen more often.

    A column is drawn, then a code of it in proportion to the logarithm of 1 + its frequency in the batch, then a row
    that has it (training by sampling, here within the batch).

    Reference: Xu et al. (2019), Modeling tabular data using conditional GAN, NeurIPS, section 4.3.

    Parameters
    ----------
    codes : int64 [batch, columns]
        At least one of each.

    Returns
    -------
    int64 [n], int64 [n]
        Rows of the batch, and the column of each that is to be given.
    """
    column = torch.randint(codes.shape[1], (n,), device=codes.device)
    shown = codes[:, column].T  # (n, batch)
    frequency = torch.zeros(n, int(codes.max()) + 1, device=codes.device)
    frequency.scatter_add_(1, shown, torch.ones(shown.shape, device=codes.device))
    weight = (frequency.log1p() / frequency.clamp(min=1)).gather(1, shown)
    return torch.multinomial(weight, 1).squeeze(1), column
