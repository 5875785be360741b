"""What the adversarial models share: their parameters, the game, and sampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from anomalo.neural import NeuralModel, Step
from anomalo.plugin import Encoded, Layout, Run, TableTransform, param
from anomalo_gan.collapse import ENOUGH, collapse, coverage
from anomalo_gan.conditions import random_columns
from anomalo_gan.energy import energy_distance
from anomalo_gan.games import zero_centred
from anomalo_gan.modes import Modes
from anomalo_gan.networks import Critic, Generator
from anomalo_gan.players import Players, as_rows, row_format
from anomalo_gan.rounds import Round
from anomalo_gan.sampling import known_items, maker, randomness, row_values

TESTED = 1000
"""The held-out rows are compared with at least so many made ones."""


NEWEST = 0.1
"""Share of the newest epoch in the running mean of the test."""


@dataclass(kw_only=True)
class Adversarial(NeuralModel):
    """A generator of rows and a critic that tells them from real ones, trained against each other.

    Both see which cells of a row are given, and their values; the generator makes the others. The critic compares a
    real row with one made from the same given cells. In training they are drawn at random, often none.
    """

    betas: ClassVar[tuple[float, float]] = (0.0, 0.99)

    epochs: int = param(100, low=1, high=100_000, help="Passes over the training rows at most; training stops early.")
    learning_rate: float = param(1e-3, low=1e-7, high=1.0, help="Step size of both players' Adam at the start.")
    patience: int = param(50, low=1, high=100_000, help="Stop after so many epochs without a better two-sample test.")
    noise: int = param(64, low=1, high=100_000, help="Width of the noise that rows are made from.")
    modes: int = param(1, low=1, high=1000, help="Parts of a number that the generator chooses from; 1 splits none.")
    hidden: int = param(192, low=1, high=100_000, help="Width of the hidden layers.")
    depth: int = param(2, low=0, high=100, help="Residual layers of each player.")
    critic_steps: int = param(1, low=1, high=100, help="Steps of the critic for each step of the generator.")
    penalty: float = param(1.0, low=0.0, high=1e6, help="Weight of the penalty on the critic's slope.")
    penalty_every: int = param(
        4, low=1, high=1000, help="Steps of the critic for one with the penalty, as much heavier."
    )
    temperature: float = param(0.5, low=1e-3, high=100.0, help="Of the Gumbel-softmax; low is nearer to one level.")
    gumbel: float = param(0.3, low=0.0, high=1.0, help="Weight of the Gumbel noise, which draws each column by itself.")
    hard: bool = param(True, help="Whether the critic sees exact levels of made rows (straight-through gradients).")
    given: float = param(0.5, low=0.0, high=1.0, help="Share of the training rows some of whose cells are given.")
    pack: int = param(1, low=1, high=1000, help="Rows that the critic judges together.")
    minibatch: str = param(
        "spread", choices=("none", "spread", "discrimination"), help="What the critic is told of the rest of a batch."
    )
    spectral: bool = param(False, help="Whether the critic's layers have a largest singular value of 1.")
    replay: int = param(0, low=0, high=10_000_000, help="Rows made earlier to keep and show the critic again.")
    decay: float = param(0.999, low=0.0, high=1.0, help="Of the moving average of the generator's weights.")

    def game_name(self) -> str:
        """Return the name of the game; see `games.critic_loss`."""
        raise NotImplementedError

    def fit(self, data: Encoded, run: Run) -> Self:
        """Train both players.

        Raises
        ------
        TrainingError
            A loss became infinite or not a number.
        UsageError
            The run's device is not available.
        """
        self._transform = TableTransform.fit(data)
        self.quantiles_, self.columns_ = self._transform.pack()
        parts = self.split.split(self._transform.forward(data, run.rng))
        return super().fit(as_rows(self.split.sizes, parts), run)

    @property
    def transform(self) -> TableTransform:
        """The way from the table's columns to the networks' rows, and back."""
        if getattr(self, "_transform", None) is None:
            self._transform = TableTransform.unpack(self.quantiles_, self.columns_)
        return self._transform

    @property
    def split(self) -> Modes:
        """The way from normal scores to modes, and back."""
        return Modes(self.transform, self.modes)

    def build(self, layout: Layout) -> nn.Module:
        """Return both players."""
        format, column = row_format(self.split, layout, self.gumbel)
        generator = Generator(format, self.noise, self.hidden, self.depth)
        critic = Critic(format, self.hidden, self.depth, self.pack, self.spectral, self.minibatch)
        return Players(format, column, generator, critic, self.decay, self.replay)

    def optimizers(self, parameters: Sequence[nn.Parameter]) -> list[Optimizer]:
        """Return the critic's and the generator's Adam."""
        net = cast("Players", self.net)
        return [
            AdamW(player.parameters(), lr=self.learning_rate, betas=self.betas, weight_decay=decay, fused=True)
            for player, decay in ((net.critic, 0.0), (net.generator, self.weight_decay))
        ]

    def draw(self, net: Players, x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        """Return real rows [n, entries] of a batch, and which of their items [n, items] are given."""
        return net.format.pack(x, observed), random_columns(len(x), net.column, self.given)

    def judged(
        self, critic: Critic, real: Tensor, made: Tensor, given: Tensor, weight: float
    ) -> tuple[Tensor, Tensor, Tensor | float]:
        """Return the critic's logits of real and of made rows, and the penalty on its slopes with this weight."""
        real, made = real.requires_grad_(weight > 0), made.requires_grad_(weight > 0)
        on_real, on_made = critic(real, given), critic(made, given)
        if not weight:
            return on_real, on_made, 0.0
        return on_real, on_made, weight * (zero_centred(on_real, real) + zero_centred(on_made, made))

    def step(self, net: nn.Module, optimizers: list[Optimizer], loss: Any = None) -> Step:
        """Return the function that plays one round on a batch."""
        assert isinstance(net, Players)
        return Round(
            net,
            optimizers,
            self.game_name(),
            lambda x, observed: self.draw(net, x, observed),
            self.judged,
            self.penalty,
            self.penalty_every,
            self.critic_steps,
            self.temperature,
            self.hard,
        )

    def validation(self, net: nn.Module, x: Tensor, observed: Tensor) -> Tensor:
        """Return how far made rows are from held-out ones by a two-sample test: the running mean of energy distances.

        That of a single epoch is too noisy to choose an epoch by.
        """
        assert isinstance(net, Players)
        noise = torch.randn(max(len(x), TESTED), self.noise, device=x.device)
        distance = energy_distance(net.format.pack(x, observed), net.make(noise))
        net.distance.copy_(distance if net.distance.isinf() else torch.lerp(net.distance, distance, NEWEST))
        return net.distance

    def finish(self, data: Encoded, run: Run) -> None:
        """Tell how much of the table the generator covers, with a warning if that is too little."""
        net = cast("Players", self.net).eval()
        rows = run.rng.permutation(len(data))[:TESTED]
        device = net.column.device
        x, observed = (torch.from_numpy(array[rows]).to(device) for array in (data.values, data.observed))
        with torch.no_grad():
            made = net.make(torch.randn(len(rows), self.noise, device=device))
            covered = coverage(net.format.pack(x, observed), made)
        self.notes_ = [collapse(covered)] if covered < ENOUGH else []
        told: dict[str, Any] = {"coverage": covered}
        if self.notes_:
            told["warning"] = self.notes_[0]
        run.report(**told)

    def sample(self, given: Encoded, run: Run) -> Encoded:
        """Return new rows; observed cells of `given` are kept, and the others are made to go with them."""
        net, split = cast("Players", self.net), self.split
        parts = split.split(self.transform.condition(given, run.rng, made=True))
        x, known = row_values(parts, net.format.width), known_items(split, parts, net.format.width)
        allowed = np.concatenate([np.zeros((len(given), 0), dtype=bool), *(parts.allowed or ())], axis=1)
        make = maker(net)
        numbers, codes = [], []
        for start in range(0, len(given), self.chunk):
            rows = slice(start, start + self.chunk)
            chance = randomness(net, len(x[rows]), run.rng)
            made = self._in_chunks(make, x[rows], known[rows], allowed[rows], *chance)
            numbers.append(made[0][:, : self.transform.width])
            codes.append(made[1].astype(np.int64))
        if not numbers:
            return given
        scores, plain = split.join(np.concatenate(numbers), np.concatenate(codes))
        return self.transform.complete(scores, plain, given)
