"""What the diffusion models of tables share: parameters, training on noisy rows, and the verbs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import numpy as np
from torch import nn
from torch.optim import Optimizer

from anomalo.neural import STEPS_PER_EPOCH, ArrayRows, AveragedNetwork, BatchSource, Loss, Phase, Step, clipped
from anomalo.plugin import (
    DensityRatio,
    Encoded,
    Filled,
    Layout,
    ModelState,
    Run,
    Scores,
    correct_by_density_ratio,
    is_goal,
    learn_density_ratio,
    param,
)
from anomalo_diffusion.anomaly_score import anomaly_scores, typical_distances
from anomalo_diffusion.conditional_sampling import synthetic_rows
from anomalo_diffusion.denoising_model import DenoisingModel
from anomalo_diffusion.imputation import concatenate, imputation_error_scale, impute_rows
from anomalo_diffusion.network import DenoisingNetwork
from anomalo_diffusion.one_hot_space import OneHotSpace
from anomalo_diffusion.training.denoising_loss import DenoisingLoss
from anomalo_diffusion.training.training_rows import training_rows

PURE_NOISE_SHARE, IMPUTATION_SHARE = 0.25, 0.75
"""Shares of the training rows with known cells that are nearly pure noise; the second in a fit for imputation alone."""
LARGEST_GRADIENT = 1.0
"""A gradient with a larger norm is scaled down to it; most have half of it."""


@dataclass(kw_only=True)
class Diffusion(DenoisingModel):
    """A diffusion model of a table's normal scores and codes.

    Codes are one-hot vectors, noised as numbers are; the network predicts their probabilities by a softmax for each,
    which is their expectation. In training some cells of some rows are known to the network: given cells are a
    condition that it has learned, and inpainting, sampling by class and unconditional sampling are one.

    References: Ho, Jain and Abbeel (2020); Dieleman et al. (2022), Continuous diffusion for categorical data
    (one-hot vectors with a softmax); Kotelnikov et al. (2023), TabDDPM, ICML.
    """

    score_unit = "nats"

    epochs: int = param(1200, low=1, high=100_000, help="Passes over the training rows at most; training stops early.")
    batch_size: int = param(256, low=1, high=1_000_000, help="Rows in one gradient step, at most.")
    learning_rate: float = param(2e-3, low=1e-7, high=1.0, help="Step size of Adam at the start; it decays.")
    weight_decay: float = param(0.03, low=0.0, high=1.0, help="Decoupled weight decay of Adam.")
    patience: int = param(150, low=1, high=100_000, help="Stop after this many epochs without a better held-out loss.")
    updates: int = param(18_000, low=1, high=100_000_000, help="Gradient steps at most, to sample; else a third.")
    width: int = param(128, low=1, high=100_000, help="Width of the network.")
    hidden: int = param(128, low=1, high=100_000, help="Width of the hidden layer of each residual block.")
    blocks: int = param(6, low=1, high=1000, help="Residual blocks.")
    waves: int = param(4, low=0, high=20, help="Frequencies at which the network sees each number.")
    dropout: float = param(0.1, low=0.0, high=0.95, help="Share of the hidden units dropped in training.")
    average: float = param(0.999, low=0.0, high=0.999999, help="Decay of the moving average of the weights.")
    conditioned: float = param(0.3, low=0.0, high=1.0, help="Share of the training rows of which cells are known.")
    candidates: int = param(4, low=0, high=1000, help="Rows drawn for each one sampled too often; 0 replaces none.")
    even: float = param(0.2, low=0.0, high=1.0, help="Share of the rows drawn by a level (the label's) that is known.")

    def fit(self, data: Encoded, run: Run) -> Self:
        """Train the network, and learn which of its synthetic rows are too frequent.

        Raises
        ------
        TrainingError
            The loss became infinite or not a number.
        UsageError
            The run's device is not available.
        """
        super().fit(data, run)
        self.ratio_values_, self.ratio_ = np.zeros(0), None
        if is_goal(run.goals, "sample") and self.candidates:
            found = learn_density_ratio(data, partial(synthetic_rows, self), np.random.default_rng(self.seed_))
            if found is not None:
                self.ratio_values_, self.ratio_ = found.pack()
        return self

    @property
    def ratio(self) -> DensityRatio | None:
        """How much more often rows are real than synthetic, if that was learned."""
        return DensityRatio.unpack(self.ratio_values_, self.ratio_) if self.ratio_ else None

    def build(self, layout: Layout) -> AveragedNetwork[DenoisingNetwork]:
        """Return a new network and its moving average, for parts as the transform gives them."""
        space = OneHotSpace(self.table.width, self.table.sizes)
        net = DenoisingNetwork(space, self.width, self.hidden, self.blocks, self.waves, self.dropout)
        return AveragedNetwork(net, self.average)

    def training_data(self, data: Encoded, run: Run) -> ArrayRows:
        """Return the rows' shares and codes, and which of their parts count."""
        rows = training_rows(self.table, data, learns_missing=is_goal(run.goals, "sample"))
        return ArrayRows(*rows, device=run.device)

    def train(self, rows: BatchSource, run: Run, phases: Sequence[Phase] | None = None) -> None:
        """Train in one stage, of as many epochs as updates allow, by the loss for the goals of the run."""
        net, loss, samples = self.net, self._loss(run), is_goal(run.goals, "sample")
        updates = self.updates if samples else -(-self.updates // 3)
        limit = max(1, updates // max(STEPS_PER_EPOCH, math.ceil(len(rows) / self.batch_size)))
        weights, epochs = list(net.online.parameters()), min(self.epochs, limit)
        stage = Phase("training", weights, epochs, lambda o: self.step(net, o, loss.training), loss.held_out)
        super().train(rows, run, phases or [stage])

    def _loss(self, run: Run) -> DenoisingLoss:
        """Return the loss; in a fit for imputation alone cells of all rows are known, and more rows are pure noise."""
        shares = (1.0, IMPUTATION_SHARE) if run.goals == {"impute"} else (self.conditioned, PURE_NOISE_SHARE)
        return DenoisingLoss(self, *shares, is_goal(run.goals, "sample"), self.even, run.seed)

    def optimizers(self, parameters: Sequence[nn.Parameter]) -> list[Optimizer]:
        """Return the optimisers, which clip the gradient: one bad batch would cost hundreds of good ones."""
        return clipped(super().optimizers(parameters), parameters, LARGEST_GRADIENT)

    def step(
        self, net: AveragedNetwork[DenoisingNetwork], optimizers: list[Optimizer], loss: Loss | None = None
    ) -> Step:
        """Return the function that makes one update, the average of the weights included."""
        return net.after(super().step(net, optimizers, loss))

    def sample(self, given: Encoded, run: Run) -> Encoded:
        """Return as many new rows as `given` has, whose observed cells are as given and the others drawn given them."""
        self.use(run.device)
        ratio = self.ratio if self.candidates else None
        if ratio is None:
            return synthetic_rows(self, given, run.rng)
        return correct_by_density_ratio(given, partial(synthetic_rows, self), ratio, self.candidates, run.rng)

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        """Impute missing cells by their conditional expectation, categories by the most probable level.

        The network's expectation given the observed cells, in one denoising. Intervals come from the standard deviation
        of its error in training rows of which any share was hidden. Draws are inpainted, all missing cells of a row
        together.
        """
        return concatenate([impute_rows(self, rows, draws, self.error_scale_) for rows in self._chunks_of(data)])

    def score(self, data: Encoded) -> Scores:
        """Return the rows' anomaly scores, float64 [n]: how far the network moves them, relative to training rows.

        References: Vincent (2011), A connection between score matching and denoising autoencoders, Neural Computation
        23; Livernoche et al. (2024), On diffusion modeling for anomaly detection, ICLR.
        """
        return np.concatenate([anomaly_scores(self, rows, self.typical_distances_) for rows in self._chunks_of(data)])

    def _chunks_of(self, data: Encoded) -> Iterator[Encoded]:
        """Yield the rows in chunks: conditions on the rows of a wide table need much memory."""
        for start in range(0, max(len(data), 1), self.chunk):
            yield data.take(slice(start, start + self.chunk))

    def finish(self, data: Encoded, run: Run) -> None:
        """Measure the network's errors and distances over the training rows, for imputation and scoring."""
        rows = training_rows(self.table, data, learns_missing=is_goal(run.goals, "sample"))
        self.error_scale_ = imputation_error_scale(self, *rows)
        self.typical_distances_ = typical_distances(self, *rows)

    def state(self) -> ModelState:
        """Return what was learned; of the network its average alone."""
        state = super().state()
        for name in [name for name in state.arrays if name.startswith("net.online.")]:
            del state.arrays[name]
        return state

    def restore(self, state: ModelState, create: Callable[..., Any] | None = None) -> Self:
        """Restore what `state` returned."""
        copies = {
            name.replace("net.average.", "net.online.", 1): array
            for name, array in state.arrays.items()
            if name.startswith("net.average.")
        }
        return super().restore(ModelState({**state.arrays, **copies}, state.values, state.models), create)
