"""The base of models that are trained layer by layer first."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn
from torch.optim import Optimizer

from anomalo.errors import ParameterError
from anomalo.neural import Batch, Phase
from anomalo.plugin import param
from anomalo_boltzmann.learning.contrastive_divergence import (
    LearningSettings,
    adam_optimizer,
    update_by_contrastive_divergence,
)
from anomalo_boltzmann.models.energy_model import Net
from anomalo_boltzmann.models.likelihood_model import LikelihoodModel
from anomalo_boltzmann.networks.machine_stack import MachineStack
from anomalo_boltzmann.networks.pretrained_layer import PretrainedLayer, pretrained_layer


@dataclass(kw_only=True)
class LayerwiseModel(LikelihoodModel[Net]):
    """A model that is trained layer by layer first."""

    hidden: tuple[int, ...] = param((64, 32), low=1, high=100_000, help="Hidden units of each layer, bottom up.")
    epochs: int = param(30, low=1, high=100_000, help="Passes over the rows for each layer; training stops early.")
    persistent: bool = param(True, help="Whether the chains of the negative phase continue from step to step.")
    steps: int = param(1, low=1, high=10_000, help="Gibbs sweeps of the negative phase in each step.")
    chains: int = param(100, low=1, high=100_000, help="Persistent chains.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.hidden) < 2:
            raise ParameterError(
                f"got hidden={self.hidden}; a deep machine has two layers at least: give, say, (64, 32)"
            )

    def stack(self, net: Net) -> MachineStack:
        """Return the machines that the layers of a network are trained with."""
        raise NotImplementedError

    def settings(self) -> LearningSettings:
        """Return how each machine learns."""
        return LearningSettings(self.steps, self.persistent, self.weight_decay)

    def optimizers(self, parameters: Sequence[nn.Parameter]) -> list[Optimizer]:
        """Return the optimiser of one phase."""
        return [adam_optimizer(parameters, self.learning_rate, self.momentum)]

    def layer_phases(self, net: Net) -> list[Phase]:
        """Return a phase for each layer, bottom up."""
        return [self._layer(self.stack(net), k) for k in range(len(self.hidden))]

    def _layer(self, stack: MachineStack, k: int) -> Phase:
        machine, source = stack.layers[k], stack.source(k)

        def reconstruction_nll(net: Net, x: Tensor, observed: Tensor) -> Tensor:
            v, seen = source(x, observed)
            again = machine.rows(machine.codes(v, seen))
            return (machine.units.surprisal(v, again) * seen).sum() / len(v)

        update = partial(update_by_contrastive_divergence, machine, source=source, settings=self.settings())
        return Phase(f"layer {k + 1}", list(machine.parameters()), self.epochs, update, reconstruction_nll)

    def monitor(self, net: Net, phase: str, train: Batch, held: Batch) -> dict[str, float]:
        """Return the mean free energy of training and held-out rows, in the machine that is being trained."""
        if not phase.startswith("layer "):
            return super().monitor(net, phase, train, held)
        k = int(phase.split()[1]) - 1
        stack = self.stack(net)
        machine, source = stack.layers[k], stack.source(k)
        named = {"free_energy": train, "held_out_free_energy": held}
        return {name: float(machine.marginal(*source(*rows))[0].mean()) for name, rows in named.items()}

    def layers(self) -> list[PretrainedLayer]:
        """Return the layers that were trained alone, bottom up: (weight, hidden bias, visible bias) of each."""
        return [pretrained_layer(machine) for machine in self.stack(self.net).layers]
