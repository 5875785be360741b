"""The likelihood of tables under a restricted or deep Boltzmann machine: exact where it is small, else estimated."""

import numpy as np
import torch

from anomalo.plugin import Encoded, Run, Scores
from anomalo_boltzmann.likelihood import enumeration
from anomalo_boltzmann.likelihood.annealed_importance_sampling import (
    LogPartition,
    estimate_log_partition,
    independent_biases,
)
from anomalo_boltzmann.models.energy_model import EnergyModel, Net
from anomalo_boltzmann.networks.restricted_machine import RestrictedMachine

ROWS_AT_ONCE = 1024


class LikelihoodModel(EnergyModel[Net]):
    """A model with a `RestrictedMachine`, and so with a log partition function."""

    def machine(self) -> RestrictedMachine:
        """Return the fitted machine whose log partition function the likelihood has."""
        raise NotImplementedError

    def finish(self, data: Encoded, run: Run) -> None:
        """Keep the biases of independent units, from which annealed importance sampling starts."""
        super().finish(data, run)
        units = self.machine().units
        v, seen = units.encode(
            *(torch.tensor(array, device=units.bias.device) for array in (data.values, data.observed))
        )
        with torch.no_grad():
            self.base_biases_ = independent_biases(units, v, seen).cpu().numpy()

    def log_partition(self, temperatures: int = 1000, runs: int = 100, seed: int = 0) -> LogPartition:
        """Return log Z: exact if a side of the machine has at most 2^20 states, else by annealed importance sampling.

        Parameters
        ----------
        temperatures, runs, seed : int
            Of the annealing; see `estimate_log_partition`.
        """
        machine = self.machine()
        if enumeration.enumerable_sides(machine):
            value = enumeration.log_partition(machine)
            return LogPartition(value, value, value, exact=True)
        return estimate_log_partition(machine, torch.from_numpy(self.base_biases_), temperatures, runs, seed)[0]

    def log_likelihood(self, data: Encoded, log_partition: float | None = None) -> Scores:
        """Return log p(observed cells) of rows, float64 [n], in nats.

        Numbers count by their density in standard deviations of their column (those in Bernoulli units by their
        probability), categories by their probability. Exact but for the partition function if the rows and units are
        all known or there are at most 20 hidden units; else the variational lower bound.

        Parameters
        ----------
        log_partition : float, optional
            log Z; by default that of `log_partition()`.
        """
        machine = self.machine()
        log_z = self.log_partition().value if log_partition is None else log_partition
        listed = "hidden" in enumeration.enumerable_sides(machine)
        double = enumeration.in_double_precision(machine)
        found = []
        for start in range(0, len(data), ROWS_AT_ONCE):
            part = data.take(slice(start, start + ROWS_AT_ONCE))
            v, seen = double.units.encode(torch.tensor(part.values), torch.tensor(part.observed))
            with torch.no_grad():
                exact = enumeration.log_likelihood(double, v, seen) if listed else -double.marginal(v, seen)[0]
            found.append(exact.numpy() - log_z)
        return np.concatenate([np.zeros(0), *found])
