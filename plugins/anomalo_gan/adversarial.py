"""What the adversarial models share: parameters, training and sampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from anomalo.neural import (
    AdversarialStep,
    ArrayRows,
    BatchSource,
    NeuralModel,
    Phase,
    Step,
    energy_distance,
    zero_centred_outputs,
)
from anomalo.plugin import Encoded, Layout, Run, TableTransform, param
from anomalo_gan.encoding.mode_normalisation import ModeNormalisation
from anomalo_gan.encoding.training_rows import one_hot_format, training_rows
from anomalo_gan.networks.gan_network import GanNetwork
from anomalo_gan.networks.generator_critic import Critic, Generator
from anomalo_gan.sample_quality import SUFFICIENT_COVERAGE, collapse_warning, coverage
from anomalo_gan.sampling import draw_noise, known_items, row_generator, row_values
from anomalo_gan.training.random_conditions import draw_conditions
from anomalo_gan.training.row_game import RowGame, fill_pack

COMPARED_ROWS = 1000
"""The held-out rows are compared with at least so many synthetic ones."""
NEWEST_SHARE = 0.1
"""Share of the newest epoch in the running mean of the two-sample test."""


@dataclass(kw_only=True)
class AdversarialModel(NeuralModel[GanNetwork]):
    """A generator of rows and a critic that distinguishes them from real ones, trained against each other.

    Both see which cells of a row are given, and their values; the generator makes the others. The critic compares a
    real row with a synthetic one that has the same given cells. In training these are drawn at random, often none.
    """

    betas: ClassVar[tuple[float, float]] = (0.0, 0.99)

    epochs: int = param(100, low=1, high=100_000, help="Passes over the training rows at most; training stops early.")
    learning_rate: float = param(1e-3, low=1e-7, high=1.0, help="Step size of Adam for both networks at the start.")
    patience: int = param(50, low=1, high=100_000, help="Stop after so many epochs without a better two-sample test.")
    noise: int = param(64, low=1, high=100_000, help="Width of the noise that rows are generated from.")
    modes: int = param(1, low=1, high=1000, help="Parts of a number that the generator chooses from; 1 splits none.")
    hidden: int = param(192, low=1, high=100_000, help="Width of the hidden layers.")
    depth: int = param(2, low=0, high=100, help="Residual layers of each network.")
    critic_steps: int = param(1, low=1, high=100, help="Steps of the critic for each step of the generator.")
    penalty: float = param(1.0, low=0.0, high=1e6, help="Weight of the penalty on the critic's gradient.")
    penalty_every: int = param(
        4, low=1, high=1000, help="Steps of the critic for one with the penalty, as much heavier."
    )
    temperature: float = param(0.5, low=1e-3, high=100.0, help="Of the Gumbel-softmax; low is nearer to one level.")
    gumbel: float = param(0.3, low=0.0, high=1.0, help="Weight of the Gumbel noise, which draws each column by itself.")
    hard: bool = param(
        True, help="Whether the critic sees exact levels of synthetic rows (straight-through gradients)."
    )
    given: float = param(0.5, low=0.0, high=1.0, help="Share of the training rows some of whose cells are given.")
    pack: int = param(1, low=1, high=1000, help="Rows that the critic evaluates together.")
    minibatch: str = param(
        "deviation",
        choices=("none", "deviation", "discrimination"),
        help="What the critic sees of the rest of a batch.",
    )
    spectral: bool = param(False, help="Whether the critic's layers have a largest singular value of 1.")
    replay: int = param(0, low=0, high=10_000_000, help="Earlier synthetic rows to keep and show the critic again.")
    decay: float = param(0.999, low=0.0, high=1.0, help="Of the moving average of the generator's weights.")

    def objective(self) -> str:
        """Return the name of the losses that the networks minimise; see `anomalo.neural.critic_loss`."""
        raise NotImplementedError

    def begin(self, data: Encoded, run: Run) -> None:
        """Learn the table's transform, and build both networks for it.

        Raises
        ------
        UsageError
            `run.initial` is not a model that this one can start from.
        """
        vars(self).pop("transform", None)
        self.quantiles_, self.columns_ = TableTransform.fit(data).pack()
        super().begin(data, run)

    @cached_property
    def transform(self) -> TableTransform:
        """From the table's columns to normal scores and codes, and back."""
        return TableTransform.unpack(self.quantiles_, self.columns_)

    @property
    def mode_normalisation(self) -> ModeNormalisation:
        """From normal scores to modes, and back."""
        return ModeNormalisation(self.transform, self.modes)

    def build(self, layout: Layout) -> GanNetwork:
        """Return both networks, for rows as the transform gives them."""
        format, column = one_hot_format(self.mode_normalisation, self.gumbel)
        generator = Generator(format, self.noise, self.hidden, self.depth)
        critic = Critic(format, self.hidden, self.depth, self.pack, self.spectral, self.minibatch)
        return GanNetwork(format, column, generator, critic, self.decay, self.replay)

    def optimizers(self, parameters: Sequence[nn.Parameter]) -> list[Optimizer]:
        """Return the critic's and the generator's Adam."""
        return [
            AdamW(network.parameters(), lr=self.learning_rate, betas=self.betas, weight_decay=decay, fused=True)
            for network, decay in ((self.net.critic, 0.0), (self.net.generator, self.weight_decay))
        ]

    def training_data(self, data: Encoded, run: Run) -> ArrayRows:
        """Return the rows' numbers and codes, and which of them are present; ties are jittered once."""
        modes = self.mode_normalisation
        parts = modes.to_modes(self.transform.forward(data, run.rng))
        return ArrayRows(*training_rows(modes, parts), device=run.device)

    def phases(self, net: GanNetwork) -> list[Phase]:
        """Return one stage; the two-sample test of a single epoch is too noisy to choose an epoch by."""
        return [replace(phase, newest=NEWEST_SHARE) for phase in super().phases(net)]

    def draw_batch(self, net: GanNetwork, x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        """Return real rows [n, entries] of a batch, and which of their items [n, items] are given."""
        return net.format.encode(x, observed), draw_conditions(len(x), net.column, self.given)

    def critic_outputs(
        self, critic: Critic, real: Tensor, synthetic: Tensor, given: Tensor, weight: float
    ) -> tuple[Tensor, Tensor, Tensor | float]:
        """Return the critic's logits of real and of synthetic rows, and the weighted penalty on its gradients."""
        return zero_centred_outputs(critic, real, synthetic, given, weight)

    def step(self, net: GanNetwork, optimizers: list[Optimizer], loss: Any = None) -> Step:
        """Return the function that makes one step on a batch."""
        return AdversarialStep(
            net,
            optimizers,
            self.objective(),
            lambda x, observed: self.draw_batch(net, *fill_pack(net, x, observed)),
            RowGame(net, self.temperature, self.hard),
            self.critic_outputs,
            self.penalty,
            self.penalty_every,
            self.critic_steps,
        )

    def validation(self, net: GanNetwork, x: Tensor, observed: Tensor) -> Tensor:
        """Return how far synthetic rows are from held-out ones: their energy distance."""
        noise = torch.randn(max(len(x), COMPARED_ROWS), self.noise, device=x.device)
        return energy_distance(net.format.encode(x, observed), net.generate(noise))

    def train(self, rows: BatchSource, run: Run, phases: Sequence[Phase] | None = None) -> None:
        """Train both networks, and report how much of the table the generator covers, with a warning if too little."""
        super().train(rows, run, phases)
        net = self.net
        x, observed = rows.batch(run.rng.permutation(len(rows))[:COMPARED_ROWS])
        with torch.no_grad():
            synthetic = net.generate(torch.randn(len(x), self.noise, device=x.device))
            covered = coverage(net.format.encode(x, observed), synthetic)
        self.notes_ = [collapse_warning(covered)] if covered < SUFFICIENT_COVERAGE else []
        metrics: dict[str, Any] = {"coverage": covered}
        if self.notes_:
            metrics["warning"] = self.notes_[0]
        run.report(**metrics)

    def sample(self, given: Encoded, run: Run) -> Encoded:
        """Return new rows; observed cells of `given` are kept, and the others are drawn given them."""
        net, modes = self.net, self.mode_normalisation
        parts = modes.to_modes(self.transform.condition(given, run.rng, synthetic=True))
        x, known = row_values(parts, net.format.width), known_items(modes, parts, net.format.width)
        allowed = np.concatenate([np.zeros((len(given), 0), dtype=bool), *(parts.allowed or ())], axis=1)
        generate = row_generator(net)
        numbers, codes = [], []
        for start in range(0, len(given), self.chunk):
            rows = slice(start, start + self.chunk)
            noise = draw_noise(net, len(x[rows]), run.rng)
            synthetic = self.in_chunks(generate, x[rows], known[rows], allowed[rows], *noise)
            numbers.append(synthetic[0][:, : self.transform.width])
            codes.append(synthetic[1].astype(np.int64))
        if not numbers:
            return given
        scores, plain = modes.from_modes(np.concatenate(numbers), np.concatenate(codes))
        return self.transform.complete(scores, plain, given)
