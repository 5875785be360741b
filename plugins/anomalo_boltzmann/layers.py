"""Layers of restricted Boltzmann machines as arrays: what a deep network can start from."""

from typing import NamedTuple

from anomalo.plugin import Floats
from anomalo_boltzmann.machine import Machine


class Layer(NamedTuple):
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


def layer_of(machine: Machine) -> Layer:
    """Return a machine's parameters. With Gaussian units of variance s^2 the way up is sigmoid(c + W'(v / s^2))."""
    parameters = machine.weight, machine.bias, machine.units.bias
    return Layer(*(parameter.detach().cpu().numpy() for parameter in parameters))
