"""Which cells of a training row the network is told, and which rows it is shown for their sake."""

from __future__ import annotations

import torch
from torch import Tensor


def random_parts(observed: Tensor, share: float) -> Tensor:
    """Choose the parts that the network is told, float32 [n, parts]: any number of them, in a share of the rows."""
    n, device = len(observed), observed.device
    told = torch.rand(n, 1, device=device) * (torch.rand(n, 1, device=device) < share)
    return ((torch.rand(observed.shape, device=device) < told) & observed).float()


def even_codes(codes: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Draw n rows of a batch, and a column of codes of each, so that rare codes are seen as often as others.

    A column is drawn, then a code of it that the batch has, then a row that has it. If the network is told that code,
    what it learns of the others given it is not biased, and the rows of a rare code are not lost among the rest.

    Reference: Xu et al. (2019), Modeling tabular data using conditional GAN, NeurIPS, section 4.3 (training by
    sampling; there codes are drawn by the logarithm of their frequency).

    Parameters
    ----------
    codes : int64 [batch, columns]
        At least one of each.

    Returns
    -------
    int64 [n], int64 [n]
        Rows of the batch, and the column of each that is to be told.
    """
    column = torch.randint(codes.shape[1], (n,), device=codes.device)
    shown = codes[:, column].T
    frequency = torch.zeros(n, int(codes.max()) + 1, device=codes.device)
    frequency.scatter_add_(1, shown, torch.ones_like(shown, dtype=frequency.dtype))
    return torch.multinomial(frequency.gather(1, shown).reciprocal(), 1).squeeze(1), column
