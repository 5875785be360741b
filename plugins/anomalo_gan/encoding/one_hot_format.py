"""The vectors that the networks see: a row's numbers, then the one-hot codes of each column."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.nn import functional as F

PADDING = -1e9
"""The logit of an entry that no code has."""


class OneHotFormat(nn.Module):
    """Numbers and one-hot codes side by side, [n, entries], and the way back.

    Columns of codes are laid out in groups of similar size, padded to one width each, so that a thousand columns cost
    as few calls as one. A number that a row does not have, because a code of the row stands for it (an atom, a
    missing value), is 0.

    Parameters
    ----------
    width : int
        Numbers in a row.
    sizes : sequence of int
        Codes of each column of codes.
    present_with : sequence of (int, int, int)
        For each number the column of codes, and the codes in it, from the first to before the last, with which the
        number is present; (-1, 0, 0) if it always is.
    gumbel : float
        What the Gumbel noise is multiplied by when codes are drawn. At 1 each column is drawn by itself, in proportion
        to exp(logits); nearer to 0 the draw is left to the noise that the logits are made of, and columns can agree.

    Attributes
    ----------
    items : int
        `width + len(sizes)`: the numbers and codes of a row, any of which can be known.
    code_entries : int
        The entries of all one-hot codes, padding included.
    entries : int
        `width + code_entries`: the width of a row's vector.
    """

    item_of_entry: Tensor
    first: Tensor
    padding: Tensor
    present_by_code: Tensor
    always_present: Tensor
    unpadded: Tensor

    def __init__(
        self, width: int, sizes: Sequence[int], present_with: Sequence[tuple[int, int, int]], gumbel: float = 1.0
    ) -> None:
        super().__init__()
        self.width, self.sizes, self.gumbel = width, tuple(sizes), gumbel
        self.items = width + len(self.sizes)
        self.groups = _groups(self.sizes)
        first, item_of_entry, padding, start = np.zeros(len(self.sizes), dtype=np.int64), [*range(width)], [], 0
        for columns, widest in self.groups:
            for column in columns:
                first[column] = start
                item_of_entry += [width + column] * widest
                padding += [0.0] * self.sizes[column] + [PADDING] * (widest - self.sizes[column])
                start += widest
        self.code_entries = start
        self.entries = width + start
        present_by_code = torch.zeros(start, width)
        for number, (column, begin, end) in enumerate(present_with):
            if column >= 0:
                present_by_code[first[column] + begin : first[column] + end, number] = 1.0
        always_present = [float(column < 0) for column, _, _ in present_with]
        self._register("item_of_entry", item_of_entry)
        self._register("first", first)
        self._register("unpadded", [first[column] + code for column, size in enumerate(sizes) for code in range(size)])
        self.register_buffer("present_by_code", present_by_code, persistent=False)
        self.register_buffer("always_present", torch.tensor(always_present, dtype=torch.float32), persistent=False)
        self.register_buffer("padding", torch.tensor(padding, dtype=torch.float32), persistent=False)

    def _register(self, name: str, values: ArrayLike) -> None:
        self.register_buffer(name, torch.as_tensor(np.asarray(values, dtype=np.int64)), persistent=False)

    def encode(self, x: Tensor, present: Tensor) -> Tensor:
        """Return rows [n, entries] of numbers and codes x [n, items], where `present` [n, items]."""
        numbers = torch.where(present[:, : self.width], x[:, : self.width], 0.0)
        return torch.cat([numbers, self.one_hot(x[:, self.width :].long())], dim=1)

    def one_hot(self, codes: Tensor) -> Tensor:
        """Return codes [n, columns] as [n, code_entries] of 0 and 1."""
        hot = torch.zeros(len(codes), self.code_entries, device=codes.device)
        return hot.scatter_(1, codes + self.first, 1.0) if len(self.sizes) else hot

    def join(self, numbers: Tensor, hot: Tensor) -> Tensor:
        """Return rows of numbers [n, width] and codes [n, code_entries]; a number that its code rules out becomes 0."""
        return torch.cat([numbers * (hot @ self.present_by_code + self.always_present), hot], dim=1)

    def items_to_entries(self, items: Tensor) -> Tensor:
        """Return a mask of items [n, items] as one of entries, [n, entries]."""
        return items.index_select(1, self.item_of_entry)

    def relax(self, logits: Tensor, temperature: float, hard: bool) -> Tensor:
        """Return a draw of one-hot codes [n, code_entries] that gradients pass through (Gumbel-softmax).

        Softmax of (logits + gumbel * Gumbel noise) / temperature; `hard` makes it exactly one-hot, with the gradient of
        the soft one (straight-through).

        Reference: Jang, Gu and Poole (2017), Categorical reparameterization with Gumbel-softmax, ICLR.
        """
        noisy = self._noisy(logits) / temperature
        parts = []
        for slots, shape in self._slices():
            soft = torch.softmax(noisy[:, slots].view(-1, *shape), dim=2)
            if hard:
                best = F.one_hot(soft.argmax(dim=2), shape[1]).to(soft.dtype)
                soft = best + (soft - soft.detach())
            parts.append(soft.flatten(1))
        return torch.cat(parts, dim=1) if parts else noisy

    def draw(self, logits: Tensor, allowed: Tensor | None = None, exponential: Tensor | None = None) -> Tensor:
        """Return the codes [n, columns] whose noisy logits are largest, of those `allowed` [n, code_entries] (bool).

        Parameters
        ----------
        exponential : float32 [n, code_entries], optional
            Exponential random numbers to draw with; by default new ones.
        """
        noisy = self._noisy(logits, exponential)
        if allowed is not None:
            noisy = noisy.masked_fill(~allowed, PADDING)
        codes = torch.zeros(len(logits), len(self.sizes), dtype=torch.int64, device=logits.device)
        for (slots, shape), (columns, _) in zip(self._slices(), self.groups, strict=True):
            codes[:, columns] = noisy[:, slots].view(-1, *shape).argmax(dim=2)
        return codes

    def flags_to_entries(self, flags: Tensor) -> Tensor:
        """Return flags of codes, column by column [n, sum of sizes], as flags of their entries, [n, code_entries]."""
        empty = torch.zeros(len(flags), self.code_entries, dtype=flags.dtype, device=flags.device)
        return empty.index_copy_(1, self.unpadded, flags)

    def _noisy(self, logits: Tensor, exponential: Tensor | None = None) -> Tensor:
        if exponential is None:
            # -log u: torch's own exponential numbers take four times as long.
            exponential = torch.rand_like(logits).clamp_(min=1e-20).log_().neg_()
        return logits - self.gumbel * exponential.clamp(min=1e-20).log() + self.padding

    def _slices(self) -> list[tuple[slice, tuple[int, int]]]:
        found, start = [], 0
        for columns, widest in self.groups:
            stop = start + len(columns) * widest
            found.append((slice(start, stop), (len(columns), widest)))
            start = stop
        return found


def _groups(sizes: Sequence[int]) -> list[tuple[list[int], int]]:
    """Group columns by size, so that the padding is at most as much as what is padded."""
    groups: list[tuple[list[int], int]] = []
    for column in sorted(range(len(sizes)), key=lambda c: (sizes[c], c)):
        joined = [*groups[-1][0], column] if groups else [column]
        if groups and len(joined) * sizes[column] <= max(128, 2 * sum(sizes[c] for c in joined)):
            groups[-1] = (joined, sizes[column])
        else:
            groups.append(([column], sizes[column]))
    return groups
