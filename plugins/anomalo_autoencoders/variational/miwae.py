"""The missing-data importance-weighted autoencoder: a tighter bound on the likelihood of what was observed."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from anomalo.neural import draw_rows, split_rows, sum_of_batch
from anomalo.plugin import param
from anomalo_autoencoders.variational.importance_weighted_codes import log_weights
from anomalo_autoencoders.variational.variational_autoencoder import Variational
from anomalo_autoencoders.variational.variational_network import VariationalNet


@dataclass(kw_only=True)
class Miwae(Variational):
    """A variational autoencoder trained by the importance-weighted bound on the observed cells.

    loss = -log(1/K sum_k p(observed x | z_k) p(z_k) / q(z_k | shown x)) / cells, z_k from q: the more codes, the closer
    to the likelihood of the observed cells. Single imputation is the mean over codes by self-normalised importance
    sampling, multiple imputation takes codes by their weights (sampling-importance-resampling).

    Reference: Mattei and Frellsen (2019), MIWAE: deep generative modelling and imputation of incomplete data sets,
    ICML, equations 4, 11 and 12.

    Examples
    --------
    >>> Miwae(particles=5).params()["particles"]
    5
    """

    name = "miwae"

    hidden: tuple[int, ...] = param((128, 64), low=1, high=100_000, help="Widths of the encoder's hidden layers.")
    particles: int = param(8, low=1, high=10_000, help="Codes drawn for each row to train on it (K).")
    samples: int = param(64, low=1, high=10_000, help="Codes drawn for each row to score it and to fill it.")
    weight_decay: float = param(1e-3, low=0.0, high=1.0, help="Decoupled weight decay of Adam.")

    def loss(self, net: VariationalNet, x: Tensor, observed: Tensor) -> Tensor:
        """Negative importance-weighted bound (nats per observed cell)."""
        x, observed, *shown = split_rows(x, observed, *self.corrupt(x, observed))
        mean, log_variance = net.posterior(*shown)
        shape = self.particles, mean.shape[1]
        noise = draw_rows(lambda n: torch.randn(shape[0], n, shape[1], device=mean.device), len(mean), dim=1)
        codes, weights = log_weights(noise, mean, log_variance)
        parameters = net.decode(codes.flatten(0, 1))
        copies = (cells.repeat(self.particles, 1) for cells in (x, observed))
        joint = weights + net.evidence(parameters, *copies).view(self.particles, -1)
        bound = torch.logsumexp(joint, dim=0) - math.log(self.particles)
        return -bound.sum() / sum_of_batch(observed.sum()).clamp(min=1)
