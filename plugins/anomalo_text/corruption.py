"""Texts with characters hidden, replaced, left out and put in, for a network to restore."""

import torch
from torch import Tensor

from anomalo.plugin import MISSING
from anomalo_text.codes import END, lengths

REPLACED = 0.25
"""For each hidden character so many are replaced by another one."""


def corrupted(characters: Tensor, share: float, codes: int) -> Tensor:
    """Return codes of characters [n, length] with errors before the end.

    Parameters
    ----------
    characters : int64 [n, length]
    share : float
        The share of characters hidden, and of texts that lose a character, and of texts that get one.
    codes : int
        How many codes there are; those after `END` are drawn from.
    """
    device, (rows, width) = characters.device, characters.shape
    inside = torch.arange(width, device=device) < lengths(characters)[:, None] - 1
    others = torch.randint(min(END + 1, codes - 1), codes, characters.shape, device=device)
    chance = torch.rand(characters.shape, device=device)
    changed = torch.where(inside & (chance < share * REPLACED), others, characters)
    changed = torch.where(inside & (chance > 1 - share), torch.full_like(changed, MISSING), changed)
    at = (torch.rand(rows, 1, device=device) * inside.sum(dim=1, keepdim=True)).long()
    kind, positions = torch.rand(rows, 1, device=device), torch.arange(width, device=device)
    some = inside[:, :1]
    lost = (positions + ((kind < share) & some & (positions >= at)).long()).clamp(max=width - 1)
    got = positions - ((kind > 1 - share) & some & (positions > at)).long()
    moved = changed.gather(1, torch.where(kind < share, lost, got))
    return torch.where((kind > 1 - share) & some & (positions == at), others, moved)
