"""What a loss calls where several processes share the rows of its batch; in one process nothing changes.

A loss corrupts the whole batch, in every process by the same random numbers, splits the rows, and computes its part of
the loss from those of this process; the parts sum to the loss of the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.autograd import Function

Loss = Callable[[], Tensor]
"""Computes the loss of a batch, a scalar."""
Value = TypeVar("Value", Tensor, Tensor | float)
Gradients = Callable[[Loss], Tensor]
"""Computes a loss and its gradients; returns the loss, detached."""


@dataclass
class Part:
    """Which part of a batch's rows this process takes.

    Attributes
    ----------
    number, count : int
        The process, from 0, and how many there are.
    add : callable
        Returns the sum of a tensor over all processes.
    rows : int
        The rows of the whole batch; 0 as long as the loss has not split them.
    """

    number: int
    count: int
    add: Callable[[Tensor], Tensor]
    rows: int = 0

    @property
    def first(self) -> int:
        """The first row of this process."""
        return self.rows * self.number // self.count

    @property
    def size(self) -> int:
        """The rows of this process, 1 at least."""
        return self.rows * (self.number + 1) // self.count - self.first


_PART: ContextVar[Part | None] = ContextVar("part", default=None)
_GRADIENTS: ContextVar[Gradients | None] = ContextVar("gradients", default=None)


@contextmanager
def sharing(part: Part | None) -> Iterator[None]:
    """Let losses split their rows inside the `with` block; None: compute them whole."""
    token = _PART.set(part)
    try:
        yield
    finally:
        _PART.reset(token)


@contextmanager
def gradients_by(gradients: Gradients) -> Iterator[None]:
    """Compute gradients in another way inside the `with` block."""
    token = _GRADIENTS.set(gradients)
    try:
        yield
    finally:
        _GRADIENTS.reset(token)


def whole_gradients(loss: Loss) -> Tensor:
    """Compute a loss and its gradients in this process alone, and return it, detached."""
    value = loss()
    torch.autograd.backward(value)
    return value.detach()


def backward(loss: Loss) -> Tensor:
    """Compute a loss of the batch and its gradients, and return it, detached.

    If several processes train, each computes the part of its rows, if the loss splits them.
    """
    return (_GRADIENTS.get() or whole_gradients)(loss)


def _split() -> Part | None:
    """Return this process's part of the rows, if the loss has split them."""
    part = _PART.get()
    return part if part is not None and part.rows else None


def split_rows(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Return this process's rows of tensors of a batch, each [n, ...]; in one process all of them.

    To call in a loss, after the last random numbers of the whole batch were drawn. What follows must compute each row
    by itself, and combine what belongs to all rows by `sum_of_batch`, `mean_of_batch` and `part_of_mean`. A fit checks
    that once: if a loss does not do so, one process trains alone.

    Examples
    --------
    >>> (rows,) = split_rows(torch.arange(3))
    >>> rows
    tensor([0, 1, 2])
    """
    part = _PART.get()
    if part is None or len(tensors[0]) < part.count:
        return tensors
    part.rows = len(tensors[0])
    return tuple(tensor.narrow(0, part.first, part.size) for tensor in tensors)


def draw_rows(draw: Callable[[int], Tensor], rows: int, dim: int = 0) -> Tensor:
    """Return random numbers for the rows of this process: of those that one process draws for the whole batch.

    Parameters
    ----------
    draw : callable
        `draw(n)` returns those of n rows.
    rows : int
        The rows of this process.
    dim : int
        The dimension of the rows in what `draw` returns.

    Examples
    --------
    >>> draw_rows(lambda n: torch.zeros(2, n), 3, dim=1).shape
    torch.Size([2, 3])
    """
    part = _split()
    if part is None or rows != part.size:  # other rows than those of the batch; the check finds that it is not exact
        return draw(rows)
    return draw(part.rows).narrow(dim, part.first, part.size)


class _Sum(Function):
    """The sum over all processes, whose gradient is the sum of the gradients of all parts of the loss."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, add: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.add = add
        return add(value.clone())

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return ctx.add(gradient.clone()), None


def sum_of_batch(value: Tensor) -> Tensor:
    """Return the sum over all rows of the batch of a value that is a sum over the rows of this process."""
    part = _split()
    if part is None:
        return value
    total: Tensor = _Sum.apply(value, part.add)  # type: ignore[no-untyped-call]
    return total


def part_of_mean(value: Value) -> Value:
    """Return the part of the loss that a mean over the rows of this process is; the parts sum to the batch's mean.

    A term that is the same in every process, such as one of `mean_of_batch`, is a mean too.
    """
    part = _split()
    return value if part is None else value * (part.size / part.rows)


def mean_of_batch(value: Tensor) -> Tensor:
    """Return the mean over all rows of the batch of a value that is a mean over the rows of this process."""
    return sum_of_batch(part_of_mean(value))
