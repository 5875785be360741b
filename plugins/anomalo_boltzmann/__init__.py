"""Boltzmann machines for scoring, imputation, sampling and pretraining."""

from collections.abc import Iterable

from anomalo.plugin import Model, hookimpl


@hookimpl
def anomalo_models() -> Iterable[type[Model]]:
    """Return the models of this plugin; torch is imported only now."""
    from anomalo_boltzmann.boltzmann import BoltzmannMachine
    from anomalo_boltzmann.dbm import DeepBoltzmann
    from anomalo_boltzmann.dbn import DeepBelief
    from anomalo_boltzmann.rbm import RestrictedBoltzmann
    from anomalo_boltzmann.unrolled import Unrolled

    return [BoltzmannMachine, DeepBelief, DeepBoltzmann, RestrictedBoltzmann, Unrolled]
