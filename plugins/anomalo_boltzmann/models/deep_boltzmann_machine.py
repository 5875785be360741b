"""The deep Boltzmann machine: layers of hidden units, each connected to the next in both directions."""

from dataclasses import dataclass
from functools import partial

from torch.optim import Optimizer

from anomalo.errors import ParameterError
from anomalo.neural import Phase, Step
from anomalo.plugin import Layout, param
from anomalo_boltzmann.learning.contrastive_divergence import update_by_contrastive_divergence
from anomalo_boltzmann.models.layerwise_model import LayerwiseModel
from anomalo_boltzmann.networks.deep_machine import DeepMachine
from anomalo_boltzmann.networks.machine_stack import MachineStack
from anomalo_boltzmann.networks.restricted_machine import RestrictedMachine


@dataclass(kw_only=True)
class DeepBoltzmann(LayerwiseModel[DeepMachine]):
    """A deep Boltzmann machine with two or three hidden layers, scored by its variational free energy.

    The layers are trained alone first, with their inputs doubled where the whole will have a layer on the other side,
    and then together: the positive phase by mean field, the negative one by persistent chains. Codes are the
    probabilities of the first hidden layer, and of the third.

    Reference: Salakhutdinov and Hinton (2009), Deep Boltzmann machines, AISTATS; Salakhutdinov and Hinton (2012), An
    efficient learning procedure for deep Boltzmann machines, Neural Computation 24.

    Examples
    --------
    >>> DeepBoltzmann(hidden=(32, 16, 8)).params()["greedy"]
    True
    """

    name = "dbm"

    greedy: bool = param(True, help="Whether each layer is trained alone first, for as many epochs as all together.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.hidden) > 3:
            raise ParameterError(
                f"got hidden={self.hidden}; a deep Boltzmann machine has two or three hidden layers here"
            )

    def energy_network(self, net: DeepMachine) -> RestrictedMachine:
        """Return the whole machine."""
        return net.machine

    def machine(self) -> RestrictedMachine:
        """Return the whole machine, fitted."""
        return self.net.machine

    def stack(self, net: DeepMachine) -> MachineStack:
        """Return the machines that the layers are trained with."""
        return net.stack

    def build(self, layout: Layout) -> DeepMachine:
        """Return the network for this layout."""
        return DeepMachine(layout, self.hidden, self.numbers, self.chains if self.persistent else 0)

    def phases(self, net: DeepMachine) -> list[Phase]:
        """Return a phase for each layer, and one for all."""
        parameters = list(net.machine.parameters())
        alone = self.layer_phases(net) if self.greedy else []
        return [*alone, Phase("together", parameters, self.epochs, partial(self._together, net))]

    def _together(self, net: DeepMachine, optimizers: list[Optimizer]) -> Step:
        if self.greedy:
            net.compose()
        return update_by_contrastive_divergence(
            net.machine, optimizers, source=net.machine.units.encode, settings=self.settings()
        )
