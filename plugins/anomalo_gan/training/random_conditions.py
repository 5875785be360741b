"""Random conditions for training: which cells of a row the generator is given."""

from __future__ import annotations

import torch
from torch import Tensor


def draw_conditions(n: int, column: Tensor, share: float) -> Tensor:
    """Draw which items of n rows are given, float32 [n, items] of 0 and 1.

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
