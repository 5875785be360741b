"""Boltzmann machines for scoring, imputation, sampling and pretraining."""

from collections.abc import Iterable

from anomalo.plugin import Model, hookimpl


@hookimpl
def anomalo_models() -> Iterable[type[Model]]:
    """Return the models of this plugin; torch is imported only now."""
    from anomalo_boltzmann.models.boltzmann_machine import BoltzmannMachine
    from anomalo_boltzmann.models.deep_belief_network import DeepBelief
    from anomalo_boltzmann.models.deep_boltzmann_machine import DeepBoltzmann
    from anomalo_boltzmann.models.restricted_boltzmann_machine import RestrictedBoltzmann
    from anomalo_boltzmann.models.unrolled_autoencoder import Unrolled

    return [BoltzmannMachine, DeepBelief, DeepBoltzmann, RestrictedBoltzmann, Unrolled]
