"""Who trains a network: this process alone, or several, of which the first one decides."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from anomalo.nn.distributed.gradients import SharedGradients
from anomalo.nn.distributed.shares import Part, gradients_by

T = TypeVar("T")
Output = dict[str, Tensor]


class Released(BaseException):
    """The first process trains alone from now on: what this process computes is not needed."""


class Channel(Protocol):
    """How processes reach each other."""

    rank: int
    size: int

    def add(self, tensor: Tensor) -> Tensor:
        """Return the sum of a tensor over all processes."""

    def send(self, value: object) -> None:
        """Send a value from the first process to all others."""

    def receive(self) -> Any:
        """Return what the first process sent."""


class Alone:
    """One process trains, as if there were no others."""

    leads = True
    """Whether this process decides, and saves what is to be saved."""

    def begin(self, net: nn.Module, parameters: Sequence[nn.Parameter], device: torch.device) -> None:
        """Begin a stage of the training."""

    def update(self, step: Callable[[], Output], rows: int) -> Output:
        """Make one update on a batch of so many rows."""
        return step()

    def from_first(self, compute: Callable[[], T]) -> T:
        """Return what the first process computes, in all processes."""
        return compute()


class Team(Alone):
    """Several processes train one network: each update is that of one process on the same batch.

    Parameters
    ----------
    channel : Channel
        How they reach each other.
    warn : callable
        Called in the first process if it trains alone because the loss cannot be shared.
    """

    def __init__(self, channel: Channel, warn: Callable[[], None] = lambda: None) -> None:
        self.channel, self.warn = channel, warn
        self.leads = channel.rank == 0
        self.together = True
        self.gradients: SharedGradients | None = None

    def begin(self, net: nn.Module, parameters: Sequence[nn.Parameter], device: torch.device) -> None:
        """Begin a stage of the training."""
        part = Part(self.channel.rank, self.channel.size, self.channel.add)
        self.gradients = SharedGradients(part, net, parameters, device)

    def update(self, step: Callable[[], Output], rows: int) -> Output:
        """Make one update on a batch of so many rows; a batch with fewer rows than processes is not shared.

        Raises
        ------
        Released
            The loss cannot be shared, and this is not the first process.
        """
        gradients = self.gradients
        if gradients is None or not self.together or rows < self.channel.size:
            return step()
        with gradients_by(gradients):
            output = step()
        if not gradients.exact:
            self.together = False
            self.warn()
            if not self.leads:
                raise Released
        return output

    def from_first(self, compute: Callable[[], T]) -> T:
        """Return what the first process computes, in all processes."""
        if not self.together:
            return compute()
        if not self.leads:
            received: T = self.channel.receive()
            return received
        value = compute()
        self.channel.send(value)
        return value


_TEAM = Alone()


def current() -> Alone:
    """Return who trains the network of this process."""
    return _TEAM


@contextmanager
def training_by(team: Alone) -> Iterator[None]:
    """Let a team train inside the `with` block."""
    global _TEAM
    before, _TEAM = _TEAM, team
    try:
        yield
    finally:
        _TEAM = before
