"""The restricted Boltzmann machine as a model of tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from torch import nn
from torch.optim import Optimizer

from anomalo.neural import Phase
from anomalo.plugin import Layout, param
from anomalo_boltzmann.learning.contrastive_divergence import (
    LearningSettings,
    adam_optimizer,
    update_by_contrastive_divergence,
)
from anomalo_boltzmann.models.likelihood_model import LikelihoodModel
from anomalo_boltzmann.networks.pretrained_layer import PretrainedLayer, pretrained_layer
from anomalo_boltzmann.networks.restricted_machine import RestrictedMachine
from anomalo_boltzmann.networks.visible_units import VisibleUnits


@dataclass(kw_only=True)
class RestrictedBoltzmann(LikelihoodModel[RestrictedMachine]):
    """A restricted Boltzmann machine, scored by its free energy.

    Numbers are Gaussian units with learned variances (or Bernoulli units between their bounds), categories softmax
    units. Learned by contrastive divergence, persistent or not, along the enhanced gradient; what is missing in a row
    is drawn given the rest.

    Reference: Hinton (2002), Training products of experts by minimizing contrastive divergence, Neural Computation 14;
    Tieleman (2008), Training restricted Boltzmann machines using approximations to the likelihood gradient, ICML.

    Examples
    --------
    >>> RestrictedBoltzmann(hidden=16).params()["units"]
    'bernoulli'
    """

    name = "rbm"

    hidden: int = param(64, low=1, high=100_000, help="Hidden units.")
    units: str = param("bernoulli", choices=("bernoulli", "rectified"), help="Kind of the hidden units.")
    persistent: bool = param(True, help="Whether the chains of the negative phase continue from step to step.")
    steps: int = param(1, low=1, high=10_000, help="Gibbs sweeps of the negative phase in each step.")
    chains: int = param(100, low=1, high=100_000, help="Persistent chains.")
    target: float = param(0.1, low=0.0, high=1.0, help="Mean activity that hidden units are drawn to.")
    sparsity: float = param(0.0, low=0.0, high=100.0, help="How strongly they are drawn there.")

    def build(self, layout: Layout) -> RestrictedMachine:
        """Return the machine for this layout."""
        units = VisibleUnits(layout, self.numbers)
        return RestrictedMachine(units, self.hidden, self.units, chains=self.chains if self.persistent else 0)

    def energy_network(self, net: RestrictedMachine) -> RestrictedMachine:
        """Return the machine."""
        return net

    def machine(self) -> RestrictedMachine:
        """Return the fitted machine."""
        return self.net

    def settings(self) -> LearningSettings:
        """Return how the machine learns."""
        return LearningSettings(self.steps, self.persistent, self.weight_decay, self.target, self.sparsity)

    def optimizers(self, parameters: Sequence[nn.Parameter]) -> list[Optimizer]:
        """Return the optimiser of one phase."""
        return [adam_optimizer(parameters, self.learning_rate, self.momentum)]

    def phases(self, net: RestrictedMachine) -> list[Phase]:
        """Return the one stage of training."""
        update = partial(update_by_contrastive_divergence, net, source=net.units.encode, settings=self.settings())
        return [Phase("training", list(net.parameters()), self.epochs, update)]

    def layers(self) -> list[PretrainedLayer]:
        """Return the machine as one layer: (weight [units, hidden], hidden bias, visible bias), for a deep network."""
        return [pretrained_layer(self.machine())]
