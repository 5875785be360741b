"""The unrolled autoencoder: a stack of Boltzmann machines as a deep network, fine-tuned by gradient descent."""

from dataclasses import dataclass
from typing import Any

import torch

from anomalo.errors import UsageError
from anomalo.neural import Reconstructor
from anomalo.plugin import CanPretrain, Encoded, Layout, Run, param
from anomalo_boltzmann.models.energy_model import EnergyModel
from anomalo_boltzmann.networks.unrolled_network import UnrolledNet

MOST_ROWS = 4096
"""Rows that the code is made linear on, at most."""


@dataclass(kw_only=True)
class Unrolled(Reconstructor[UnrolledNet]):
    """A deep autoencoder that starts from a pretrained stack of restricted Boltzmann machines.

    With `--from` a deep belief network (or a single machine), its layers become the encoder and, transposed, the
    decoder, around a linear code; then all weights are tuned together. Without, the same network starts from random
    weights. Minimises the mean negative log-likelihood of the observed cells given the code, in which Bernoulli units
    count by their cross-entropy.

    Reference: Hinton and Salakhutdinov (2006), Reducing the dimensionality of data with neural networks, Science 313.

    Examples
    --------
    >>> Unrolled(hidden=(32, 4)).params()["weights"]
    'modern'
    """

    name = "unrolled"

    hidden: tuple[int, ...] = param(
        (128, 64, 16), low=1, high=100_000, help="Units of each layer, the code last, if it does not start from others."
    )
    numbers: str = param(
        "auto", choices=("auto", "gaussian", "bernoulli"), help="Units for numbers, if it does not start from others."
    )
    weights: str = param(
        "modern", choices=("modern", "small"), help="Random weights: scaled to the layers' widths, or small ones."
    )
    learning_rate: float = param(1e-3, low=1e-7, high=1.0, help="Step size of Adam at the start; it decays.")

    def build(self, layout: Layout) -> UnrolledNet:
        """Return the network for this layout."""
        return UnrolledNet(layout, self.widths_, self.numbers_, self.kind_)

    def begin(self, data: Encoded, run: Run) -> None:
        """Build the network, as large as what it starts from, and start.

        Raises
        ------
        UsageError
            `run.initial` is neither a stack of Boltzmann machines nor a network like this one.
        """
        initial: Any = run.initial
        self.widths_, self.numbers_, self.kind_ = list(self.hidden), self.numbers, "bernoulli"
        if isinstance(initial, Unrolled):
            self.widths_, self.numbers_, self.kind_ = list(initial.widths_), initial.numbers_, initial.kind_
        elif _is_stack(initial):
            self.widths_ = [len(above) for _, above, _ in initial.layers()]
            self.numbers_, self.kind_ = initial.numbers, getattr(initial, "units", "bernoulli")
        super().begin(data, run)
        if initial is None:
            self.net.draw_weights(self.weights == "modern")
        elif _is_stack(initial):
            rows = data.take(slice(0, MOST_ROWS))
            self.net.linearise(torch.tensor(rows.values), torch.tensor(rows.observed))

    def start(self, initial: Any) -> None:
        """Unroll the layers of Boltzmann machines, or load the weights of a network like this one."""
        if isinstance(initial, Unrolled):
            super().start(initial)
        elif _is_stack(initial):
            self.net.unroll(initial.layers(), initial.energy_network(initial.net).units)
        else:
            raise UsageError(
                f"model {self.name!r} cannot start from a {initial.name!r}: it has no layers; pretrain an rbm or a dbn"
            )


def _is_stack(model: Any) -> bool:
    return isinstance(model, EnergyModel) and isinstance(model, CanPretrain)
