"""The gradients of a batch whose rows several processes share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from anomalo.nn.checkpoint import random_state, set_random_state
from anomalo.nn.distributed.shares import Loss, Part, sharing, whole_gradients

TOLERANCE = {"cpu": (1e-5, 1e-4), "cuda": (1e-2, 5e-2)}
"""How much the loss and the gradient's norm may differ from those of the whole batch, relatively: by rounding alone."""


class SharedGradients:
    """Computes the gradients of this process's rows, and sums them over the processes.

    The first batch is computed whole as well, to compare: a loss that splits its rows, but couples them, or draws
    random numbers for its rows alone, is not shared.

    Parameters
    ----------
    part : Part
        Which rows are this process's.
    net : torch module
        The network.
    parameters : sequence of Parameter
        Those that are trained.
    device : torch.device
        Where they are.

    Attributes
    ----------
    exact : bool or None
        Whether the processes' gradients sum to those of the batch; None until that is known.
    """

    def __init__(self, part: Part, net: nn.Module, parameters: Sequence[nn.Parameter], device: torch.device) -> None:
        self.part, self.net, self.parameters, self.device = part, net, parameters, device
        self.exact: bool | None = None

    def __call__(self, loss: Loss) -> Tensor:
        """Compute the loss and its gradients, and return it, detached."""
        return self._compared(loss) if self.exact is None else self._shared(loss)

    def _shared(self, loss: Loss) -> Tensor:
        self.part.rows = 0
        with sharing(self.part):
            value = whole_gradients(loss)
        if not self.part.rows:
            return value
        return self._summed(value)

    def _summed(self, value: Tensor) -> Tensor:
        """Sum the loss and the gradients over the processes, and return the loss.

        A parameter on which the loss does not depend has no gradient, as where all cells of these rows are observed; it
        has none of the batch only if it has none in any process.
        """
        parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in self.parameters]
        present = value.new_tensor([float(p.grad is not None) for p in self.parameters])
        total = self.part.add(torch.cat([value.reshape(1), present, *(part.flatten() for part in parts)]))
        value, present, *sums = torch.split_with_sizes(total, [1, len(present), *(part.numel() for part in parts)])
        for parameter, known, found in zip(self.parameters, present.tolist(), sums, strict=True):
            parameter.grad = found.view_as(parameter) if known else None
        return value.squeeze(0)

    def _compared(self, loss: Loss) -> Tensor:
        """Compute a batch whole, and shared; keep the latter if it is the same."""
        before = self._state()
        value = whole_gradients(loss)
        whole = [None if p.grad is None else p.grad.clone() for p in self.parameters]
        after = self._state()
        self._restore(before)
        for parameter in self.parameters:
            parameter.grad = None
        shared = self._shared(loss)
        same = bool(self.part.rows) and self._close(value, shared, whole) and self._left(after)
        differing = self.part.add(torch.tensor([float(not same)], device=self.device))
        self.exact = not differing.item()
        if self.exact:
            return shared
        self._restore(after)
        for parameter, gradient in zip(self.parameters, whole, strict=True):
            parameter.grad = gradient
        return value

    def _close(self, value: Tensor, shared: Tensor, whole: Sequence[Tensor | None]) -> bool:
        of_loss, of_gradient = TOLERANCE[self.device.type]
        pairs = [(p.grad, gradient) for p, gradient in zip(self.parameters, whole, strict=True)]
        if any((found is None) != (gradient is None) for found, gradient in pairs):
            return False
        both = [(found, gradient) for found, gradient in pairs if found is not None and gradient is not None]
        size = sum(float(gradient.square().sum()) for _, gradient in both)
        error = sum(float((found - gradient).square().sum()) for found, gradient in both)
        near = bool((shared - value).abs() <= of_loss * value.abs())
        return near and error <= of_gradient**2 * size

    def _left(self, after: tuple[dict[str, Tensor], list[Tensor]]) -> bool:
        """Whether the shared loss has left the random generators and the buffers as the whole one did."""
        states, buffers = self._state()
        near = 10 * TOLERANCE[self.device.type][0]
        drawn = all(torch.equal(states[name], after[0][name]) for name in states)
        return drawn and all(
            torch.allclose(*pair, rtol=near, atol=near) for pair in zip(buffers, after[1], strict=True)
        )

    def _state(self) -> tuple[dict[str, Tensor], list[Tensor]]:
        """Return what a loss may change: the random generators and the network's buffers."""
        return random_state(self.device), [buffer.clone() for buffer in self.net.buffers()]

    def _restore(self, state: tuple[dict[str, Tensor], list[Tensor]]) -> None:
        set_random_state(state[0], self.device)
        with torch.no_grad():
            for buffer, saved in zip(self.net.buffers(), state[1], strict=True):
                buffer.copy_(saved)
