"""Hidden characters of texts, filled one after the other."""

import torch
from torch import Tensor

from anomalo_text.codes import END
from anomalo_text.network import StringNetwork


def written(
    net: StringNetwork, column: Tensor, characters: Tensor, code: Tensor, seen: Tensor, levels: Tensor | None
) -> Tensor:
    """Return codes [n, length] in which the characters that are not seen follow from the whole text.

    Each is the most probable one after those before it, given the code. A text ends only where no character is seen
    behind.

    Parameters
    ----------
    column : int64 [n]
    characters : int64 [n, length]
        `MISSING` or unseen where `seen` [n, length] is False.
    code : float [n, latent]
        Of the texts.
    levels : float [n, length] or None
        Draws a random character instead, by uniform numbers.
    """
    state, every = net.conditions(column, code)
    before = torch.full_like(characters[:, :1], net.start)
    more = (seen & (characters != END)).flip(1).cumsum(dim=1).flip(1) > 0
    over = torch.zeros(len(characters), dtype=torch.bool, device=characters.device)
    cells = []
    for at in range(characters.shape[1]):
        state = net.writer.step(net.writer.inputs((net.character(before) + every)[:, 0]), state)
        chance = net.log_probabilities(state)[:, 1:].exp()  # of known levels
        chance[:, 0] = torch.where(more[:, at], 0.0, chance[:, 0])
        choice = END + (chance.argmax(dim=1) if levels is None else _drawn(chance, levels[:, at]))
        choice = torch.where(over, END, choice)
        cell = torch.where(seen[:, at], characters[:, at], choice)
        over = over | (cell == END)
        cells.append(cell)
        before = cell[:, None]
    return torch.stack(cells, dim=1)


def _drawn(chance: Tensor, level: Tensor) -> Tensor:
    """Return the index of the level under which a share of the total chance [n, levels] lies."""
    below = chance.cumsum(dim=1)
    return (below <= level[:, None] * below[:, -1:]).sum(dim=1).clamp(max=chance.shape[1] - 1)
