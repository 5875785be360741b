"""The space that rows diffuse in: normal scores, and codes as one-hot vectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

LARGEST_LOGIT = 30.0
"""Logits are held within this bound, so that no exponential overflows."""
SMALLEST_SHARE = 1e-5
"""Scores are of shares between this and one less it."""


class OneHotSpace(nn.Module):
    """Vectors [n, width + sum of sizes]: a row's numbers, then one one-hot vector for each of its codes.

    Parts of a row are its numbers and its codes, `[n, width + codes]`.

    Parameters
    ----------
    width : int
        Numbers of a row.
    sizes : sequence of int
        How many values each of a row's codes can take.
    """

    first: Tensor
    code_membership: Tensor
    part_of_entry: Tensor

    def __init__(self, width: int, sizes: Sequence[int]) -> None:
        super().__init__()
        self.width, self.sizes = width, tuple(sizes)
        self.levels = sum(self.sizes)
        self.entries = width + self.levels
        self.parts = width + len(self.sizes)
        owner = torch.from_numpy(np.repeat(np.arange(len(self.sizes)), self.sizes))
        first = torch.from_numpy(np.cumsum([0, *self.sizes])[:-1].astype(np.int64))
        code_membership = torch.zeros(self.levels, len(self.sizes))
        code_membership[torch.arange(self.levels), owner] = 1
        self.register_buffer("first", first, persistent=False)
        self.register_buffer("code_membership", code_membership, persistent=False)
        self.register_buffer("part_of_entry", torch.cat([torch.arange(width), width + owner]), persistent=False)

    def vectors(self, parts: Tensor) -> Tensor:
        """Return the vectors [n, entries] of parts [n, parts]."""
        codes = parts[:, self.width :].long() + self.first
        hot = torch.zeros(len(parts), self.levels, device=parts.device).scatter_(1, codes, 1.0)
        return torch.cat([parts[:, : self.width], hot], dim=1)

    def jittered(self, shares: Tensor) -> Tensor:
        """Return parts [n, parts] of rows as in training.

        A number is the normal score of a random one of its shares, another each time: no jitter can be learned by
        heart. One of which nothing is known has all shares, and any score is as good as another.

        Parameters
        ----------
        shares : float32 [n, 2 width + codes]
            The lower and the upper ends of the numbers' shares, and codes.
        """
        lower, upper, codes = torch.split(shares, [self.width, self.width, len(self.sizes)], dim=1)
        share = torch.rand_like(lower).mul_(upper - lower).add_(lower).clamp_(SMALLEST_SHARE, 1 - SMALLEST_SHARE)
        return torch.cat([torch.special.ndtri(share), codes], dim=1)

    def parts_to_entries(self, parts: Tensor) -> Tensor:
        """Return values of parts [n, parts] as values of their entries, [n, entries]."""
        return parts.index_select(1, self.part_of_entry)

    def _exponentials(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return exp(logits) [n, levels], and their sums for each code [n, codes]."""
        exponentials = logits.clamp(-LARGEST_LOGIT, LARGEST_LOGIT).exp()
        return exponentials, self.sums(exponentials)

    def sums(self, levels: Tensor) -> Tensor:
        """Return the sum over the values of each code, [n, codes], of numbers [n, levels].

        On a CPU each row is summed by itself: a product with so few columns may round a row by where it stands.
        """
        if levels.device.type != "cpu":
            return levels @ self.code_membership
        owner = self.part_of_entry[self.width :] - self.width
        return levels.new_zeros(len(levels), len(self.sizes)).index_add(1, owner, levels)

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return the codes' probabilities [n, levels]: a softmax for each code."""
        exponentials, sums = self._exponentials(logits)
        return exponentials.mul_(sums.reciprocal_().index_select(1, self.part_of_entry[self.width :] - self.width))

    def surprisal(self, logits: Tensor, parts: Tensor) -> Tensor:
        """Return the surprisal, -log p, of each code in nats, [n, codes]."""
        codes = parts[:, self.width :].long() + self.first
        sums = self._exponentials(logits)[1]
        return sums.log() - logits.clamp(-LARGEST_LOGIT, LARGEST_LOGIT).gather(1, codes)

    def draw(self, probabilities: Tensor, uniform: Tensor) -> Tensor:
        """Draw codes [n, codes] from their probabilities [n, levels] by uniform numbers [n, codes] in [0, 1)."""
        codes = torch.zeros(len(probabilities), len(self.sizes), dtype=torch.int64, device=probabilities.device)
        for at, share in enumerate(torch.split(probabilities, list(self.sizes), dim=1)):
            below = share.cumsum(dim=1)
            codes[:, at] = (below[:, :-1] <= uniform[:, at : at + 1] * below[:, -1:]).sum(dim=1)
        return codes
