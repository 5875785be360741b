"""When a training stops: the best weights, and how long ago they were found."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import nn


class RunningMean:
    """The running mean of a loss over epochs, in which the newest one has a fixed share; in float32, as losses are."""

    def __init__(self, newest: float) -> None:
        self.newest = newest
        self.value: float | None = None

    def update(self, loss: float) -> float:
        """Return the mean with an epoch's loss in it."""
        if self.value is not None and self.newest < 1:
            loss = torch.lerp(torch.tensor(self.value), torch.tensor(loss), self.newest).item()
        self.value = loss
        return loss


class EarlyStop:
    """Keeps the best weights and says when to stop (Prechelt 1998: no improvement for `patience` epochs)."""

    def __init__(self, net: nn.Module, patience: int) -> None:
        self.net, self.patience = net, patience
        self.best, self.waited = math.inf, 0
        self.state: dict[str, Any] = {}

    def should_stop(self, loss: float) -> bool:
        """Record an epoch's loss."""
        if loss < self.best:
            self.best, self.waited = loss, 0
            self.state = copy.deepcopy(self.net.state_dict())
        else:
            self.waited += 1
        return self.waited >= self.patience

    def restore(self) -> None:
        """Put the best epoch's weights back."""
        if self.state:
            self.net.load_state_dict(self.state)

    def state_dict(self) -> dict[str, Any]:
        """Return the state to save."""
        return {"best": self.best, "waited": self.waited, "state": self.state}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Restore the saved state."""
        self.best, self.waited, self.state = saved["best"], saved["waited"], saved["state"]
