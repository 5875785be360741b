"""Steps of windows, and what training hides of them."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

STEPS = 24
"""A recurrent network or attention takes at most about so many steps; a longer window's step is several points."""


class Steps(nn.Module):
    """Cuts windows into steps of equally many points, and joins them again; the first step may begin with nothing.

    Parameters
    ----------
    points, columns : int
        Of a window.
    most : int
        Steps, at most.
    """

    def __init__(self, points: int, columns: int, most: int = STEPS) -> None:
        super().__init__()
        self.points, self.columns = points, columns
        self.length = math.ceil(points / most)
        self.count = math.ceil(points / self.length)
        self.before = self.count * self.length - points
        self.cells = self.length * columns

    def cut(self, x: Tensor) -> Tensor:
        """Return the steps of windows [n, T, columns], [n, steps, cells]; 0 before the first point."""
        padded = nn.functional.pad(x, (0, 0, self.before, 0))
        return padded.reshape(len(x), self.count, self.cells)

    def seen(self, x: Tensor, observed: Tensor) -> Tensor:
        """Return steps with zeros where not observed, and which cells are, [n, steps, 2 cells]."""
        shown = observed.to(x.dtype)
        return torch.cat([self.cut(x * shown), self.cut(shown)], dim=2)

    def join(self, steps: Tensor) -> Tensor:
        """Return the windows of steps [n, steps, cells], [n, T, columns]."""
        return steps.reshape(len(steps), -1, self.columns)[:, self.before :]


def bridge(x: Tensor, known: Tensor) -> Tensor:
    """Return windows [n, T, columns] whose unknown cells lie on straight lines between known ones.

    At an end it is the nearest known cell, and 0 in a column of which a window shows nothing.

    Examples
    --------
    >>> x = torch.tensor([9.0, 1.0, 9.0, 9.0, 4.0])[None, :, None]
    >>> bridge(x, x < 9)[0, :, 0].tolist()
    [1.0, 1.0, 2.0, 3.0, 4.0]
    """
    points = x.shape[1]
    at = torch.arange(points, device=x.device).reshape(1, -1, 1)
    before = torch.where(known, at, -1).cummax(dim=1).values
    after = torch.where(known, at, points).flip(1).cummin(dim=1).values.flip(1)
    left, right = torch.where(before < 0, after, before), torch.where(after == points, before, after)
    low, high = (x.gather(1, end.clamp(0, points - 1)) for end in (left, right))
    share = torch.where(right > left, (at - left) / (right - left).clamp(min=1), 0.0)
    return torch.where(known.any(dim=1, keepdim=True), low + share * (high - low), 0.0)


def hidden_cells(x: Tensor, share: float) -> Tensor:
    """Return what training hides of windows [n, T, columns]: of half of them single points, of the others a stretch.

    Of points a random share is hidden, up to twice the given one, and at most 0.8; of a stretch, up to three quarters
    of the points of a random half of the channels.
    """
    count, points, columns = x.shape
    uniform = torch.rand(4, count, 1, 1, device=x.device)
    single = torch.rand(x.shape, device=x.device) < uniform[0] * min(2 * share, 0.8)
    length = 1 + uniform[1] * (0.75 * points - 1)
    start = uniform[2] * (points - length)
    at = torch.arange(points, device=x.device).reshape(1, -1, 1)
    channel = torch.rand(count, 1, columns, device=x.device) < 0.6
    stretch = (at >= start) & (at < start + length) & channel
    return torch.where(uniform[3] < 0.5, single, stretch)
