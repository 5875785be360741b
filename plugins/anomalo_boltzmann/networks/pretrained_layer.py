"""A trained layer of a restricted Boltzmann machine as arrays, for a deep network to start from."""

from typing import NamedTuple

from anomalo.plugin import Floats
from anomalo_boltzmann.networks.restricted_machine import RestrictedMachine


class PretrainedLayer(NamedTuple):
    """One layer, trained.

    Attributes
    ----------
    weight : float32 [below, above]
    bias_hidden : float32 [above]
    bias_visible : float32 [below]
        In the first layer of the units, in the order Gaussian, softmax, Bernoulli.
    """

    weight: Floats
    bias_hidden: Floats
    bias_visible: Floats


def pretrained_layer(machine: RestrictedMachine) -> PretrainedLayer:
    """Return a machine's parameters. With Gaussian units of variance s^2 the way up is sigmoid(c + W'(v / s^2))."""
    parameters = machine.weight, machine.bias, machine.units.bias
    return PretrainedLayer(*(parameter.detach().cpu().numpy() for parameter in parameters))
