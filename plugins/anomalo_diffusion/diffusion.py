"""What the diffusion models of tables share: parameters, training on noisy rows, and the verbs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from anomalo.neural import STEPS_PER_EPOCH, Phase, Step, draw_rows_by_code, seeded
from anomalo.plugin import (
    Block,
    DensityRatio,
    Encoded,
    Filled,
    Layout,
    ModelState,
    Run,
    Scores,
    TableTransform,
    correct_by_density_ratio,
    is_goal,
    learn_density_ratio,
    param,
)
from anomalo_diffusion.anomaly_score import anomaly_scores, typical_distances
from anomalo_diffusion.conditional_sampling import synthetic_rows
from anomalo_diffusion.denoising_model import DenoisingModel
from anomalo_diffusion.imputation import concatenate, imputation_error_scale, impute_rows
from anomalo_diffusion.network import AveragedNetwork, DenoisingNetwork
from anomalo_diffusion.one_hot_space import OneHotSpace
from anomalo_diffusion.random_conditions import draw_known_parts

PURE_NOISE_SHARE, IMPUTATION_SHARE = 0.25, 0.75
"""Shares of the training rows with known cells that are nearly pure noise; the second in a fit for imputation alone."""
LARGEST_GRADIENT = 1.0
"""A gradient with a larger norm is scaled down to it; most have half of it."""
VALIDATION_DRAWS = 2
"""Draws of noise for the held-out loss."""


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
        """Learn the table's transform, then train the network on its rows.

        Raises
        ------
        TrainingError
            The loss became infinite or not a number.
        UsageError
            The run's device is not available.
        """
        table = self.learn_table(data)
        self._learns_missing = is_goal(run.goals, "sample")
        imputes_only = run.goals == {"impute"}
        self._known_share = 1.0 if imputes_only else self.conditioned
        self._pure_noise_share = IMPUTATION_SHARE if imputes_only else PURE_NOISE_SHARE
        updates = self.updates if self._learns_missing else -(-self.updates // 3)
        self._epoch_limit = max(1, updates // max(STEPS_PER_EPOCH, math.ceil(len(data) / self.batch_size)))
        super().fit(_rows(table, data, learns_missing=self._learns_missing), run)
        self.ratio_values_, self.ratio_ = np.zeros(0), None
        if self._learns_missing and self.candidates:
            found = learn_density_ratio(data, partial(synthetic_rows, self), np.random.default_rng(self.seed_))
            if found is not None:
                self.ratio_values_, self.ratio_ = found.pack()
        return self

    @property
    def ratio(self) -> DensityRatio | None:
        """How much more often rows are real than synthetic, if that was learned."""
        return DensityRatio.unpack(self.ratio_values_, self.ratio_) if self.ratio_ else None

    def build(self, layout: Layout) -> nn.Module:
        """Return a new network and its moving average, for the layout of parts."""
        space = OneHotSpace(len(layout.numbers) // 2, [layout.blocks[position].size for position in layout.categories])
        net = DenoisingNetwork(space, self.width, self.hidden, self.blocks, self.waves, self.dropout)
        return AveragedNetwork(net, self.average)

    def phases(self, net: nn.Module) -> list[Phase]:
        """Return one stage over the weights of the network in training, of as many epochs as updates allow."""
        weights = list(net.online.parameters())  # type: ignore[union-attr]
        return [Phase("training", weights, min(self.epochs, self._epoch_limit), lambda o: self.step(net, o))]

    def optimizers(self, parameters: Sequence[nn.Parameter]) -> list[Optimizer]:
        """Return the optimisers, which clip the gradient: one bad batch would cost hundreds of good ones."""

        def clip(*_: Any) -> None:
            nn.utils.clip_grad_norm_(parameters, LARGEST_GRADIENT)

        found = super().optimizers(parameters)
        for optimizer in found:
            optimizer.register_step_pre_hook(clip)
        return found

    def step(self, net: nn.Module, optimizers: list[Optimizer], loss: Any = None) -> Step:
        """Return the function that makes one update, the average of the weights included."""
        update = super().step(net, optimizers, loss)

        def averaged(x: Tensor, observed: Tensor) -> dict[str, Tensor]:
            output = update(x, observed)
            net.update()  # type: ignore[operator]
            return output

        return averaged

    def loss(self, net: nn.Module, x: Tensor, observed: Tensor) -> Tensor:
        """Mean loss of the parts that are not known, of the network in training; rare codes are seen more often."""
        online: Any = net.online
        space, n = online.space, int(self.even * len(x))
        given = torch.zeros(len(x), space.parts, device=x.device)
        if self._learns_missing and space.sizes:
            row, column = draw_rows_by_code(x[:, 2 * space.width :].long(), n, torch.ones_like, self.table.label)
            x, observed = torch.cat([x[row], x[n:]]), torch.cat([observed[row], observed[n:]])
            given[torch.arange(n), space.width + column] = 1.0
        return self.denoising_loss(online, x, observed, given)

    def validation(self, net: nn.Module, x: Tensor, observed: Tensor) -> Tensor:
        """The loss of the averaged network, for some draws of noise: the same ones every time."""
        with seeded(self.seed_, x.device):
            losses = [self.denoising_loss(net.average, x, observed) for _ in range(VALIDATION_DRAWS)]  # type: ignore[arg-type]
        return torch.stack(losses).mean()

    def denoising_loss(
        self, net: DenoisingNetwork, shares: Tensor, observed: Tensor, given: Tensor | None = None
    ) -> Tensor:
        """Squared error of what is predicted of numbers, and surprisal of codes in nats, for each unknown part.

        Parts that are `given` [n, parts] are known, and others at random.

        To sample, the network learns which cells are missing, and the score of a number that has none is noise, which
        the network must know to be noise; otherwise neither counts.
        """
        space, n = net.space, len(shares)
        parts, observed = space.jittered(shares, observed)
        clean = space.vectors(parts)
        known = draw_known_parts(observed, self._known_share)
        known = known if given is None else torch.maximum(known, given)
        pure_noise = (known.sum(dim=1) > 0) & (torch.rand(n, device=parts.device) < self._pure_noise_share)
        level = torch.where(pure_noise, self.pure_noise_level(), self.draw_levels(n, parts.device))
        noise = torch.randn_like(clean)
        signal, noise_scale = self.scales(level[:, None])
        noisy = signal * clean + noise_scale * noise
        output = self._output(net, noisy, level, clean, known)
        width = space.width
        aim = self.target(clean[:, :width], noise[:, :width], level[:, None])
        losses = torch.cat([(output[:, :width] - aim).square(), space.surprisal(output[:, width:], parts)], dim=1)
        unknown = 1 - known if self._learns_missing else (1 - known) * observed
        return (losses * unknown).sum() / unknown.sum().clamp(min=1)

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
        self.error_scale_ = imputation_error_scale(self, data)
        self.typical_distances_ = typical_distances(self, data)

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


def _rows(table: TableTransform, data: Encoded, *, learns_missing: bool) -> Encoded:
    """Return rows as the training loop takes them: the lower and the upper shares of numbers, then codes.

    A number without a score is not observed; nor is a missing cell, unless the network learns which cells are missing.
    """
    parts, width = table.forward(data), table.width
    numbers = [Block(name="", kind="number", position=at) for at in range(2 * width)]
    codes = [
        Block(name="", kind="category", position=2 * width + at, levels=("",) * size)
        for at, size in enumerate(table.sizes)
    ]
    values = np.concatenate([*table.shares(data), parts.codes.astype(np.float32)], axis=1)
    codes_known = np.ones(parts.codes.shape, dtype=bool)
    for column in table.columns:
        if column.code >= 0 and not learns_missing:
            codes_known[:, column.code] = data.observed[:, column.position]
    known = [parts.known_numbers, parts.known_numbers, codes_known]
    return Encoded(values, np.concatenate(known, axis=1), Layout("table", values.shape[1:], (*numbers, *codes)))
