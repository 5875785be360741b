"""What the diffusion models of tables share: training on noisy rows with known cells, sampling given some."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from anomalo.generators.density_ratio import Ratio, corrected, learned
from anomalo.neural import NeuralModel, Phase, Step
from anomalo.nn.trainer import STEPS_PER_EPOCH, seeded
from anomalo.nn.training_by_sampling import drawn_by_code
from anomalo.plugin import Block, Encoded, Filled, Layout, ModelState, Run, Scores, TableTransform, param, wanted
from anomalo_diffusion.conditions import random_parts
from anomalo_diffusion.filling import filling_errors, fills, joined
from anomalo_diffusion.net import Averaged, Denoiser
from anomalo_diffusion.samplers import Denoise
from anomalo_diffusion.sampling import synthetic
from anomalo_diffusion.space import RowSpace
from anomalo_diffusion.strangeness import strangeness, usual_distances

LARGEST_SCORE = 4.0
"""Clean normal scores are held within this bound."""
BLIND = 5.0
"""At this ratio of noise to signal a row is all but noise."""
BLIND_SHARE, FILLING_SHARE = 0.25, 0.75
"""It is the level of these shares of the rows with known cells; the second in a fit for filling alone."""
JUDGED = (0.5, 1.0, 2.0)
"""Ratios at which rows are scored."""
LARGEST_GRADIENT = 1.0
"""A gradient with a larger norm is scaled down to it; most have half of it."""
JUDGEMENTS = 2
"""Draws of noise for the held-out loss."""
CHUNK_ENTRIES = 2**18
"""So many entries are sampled at a time, at most."""


@dataclass(kw_only=True)
class Diffusion(NeuralModel):
    """A diffusion model of a table's normal scores and codes.

    Codes are one-hot vectors, noised as numbers are; the network predicts their probabilities by a softmax for each,
    which is their expectation. In training some cells of some rows are known to the network: given cells are a
    condition that it has learned, and inpainting, sampling by class and sampling from nothing are one.

    A variant says what noise there is (`levels`, `scales`), what the network predicts (`target`, `clean`), and how to
    sample (`reverse`).

    References: Ho, Jain and Abbeel (2020); Dieleman et al. (2022), Continuous diffusion for categorical data
    (one-hot vectors with a softmax); Kotelnikov et al. (2023), TabDDPM, ICML.
    """

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
    candidates: int = param(4, low=0, high=1000, help="Rows drawn for each one made too often; 0 replaces none.")
    even: float = param(0.2, low=0.0, high=1.0, help="Share of the rows drawn by a level (the label's) that is known.")

    @property
    def chunk(self) -> int:  # type: ignore[override]
        """Rows handled at a time: fewer of wide tables."""
        return int(max(64, min(1024, CHUNK_ENTRIES // max(self.space.entries, 1))))

    def levels(self, n: int, device: torch.device) -> Tensor:
        """Return random noise levels for training, [n]."""
        raise NotImplementedError

    def scales(self, level: Tensor) -> tuple[Tensor, Tensor]:
        """Return the signal's and the noise's standard deviation at noise levels [n, 1]."""
        raise NotImplementedError

    def feature(self, level: Tensor) -> Tensor:
        """Return noise levels [n] as the network sees them."""
        raise NotImplementedError

    def target(self, clean: Tensor, noise: Tensor, level: Tensor) -> Tensor:
        """Return what the network is to predict of numbers [n, width]."""
        raise NotImplementedError

    def clean(self, output: Tensor, x: Tensor, level: Tensor) -> Tensor:
        """Return the clean numbers [n, width] that such a prediction of noisy ones means."""
        raise NotImplementedError

    def top(self) -> float:
        """Return a noise level so high that a row is all but noise."""
        raise NotImplementedError

    def judged(self) -> tuple[float, ...]:
        """Return the noise levels at which rows are scored."""
        raise NotImplementedError

    def reverse(self, denoise: Denoise, noise: Callable[[], Tensor], *, steady: bool = False) -> Tensor:
        """Return rows from noise, drawn only once if `steady`; of codes their probabilities."""
        raise NotImplementedError

    @cached_property
    def table(self) -> TableTransform:
        """The way from encoded rows to parts and back."""
        return TableTransform.unpack(self.table_values_, self.table_)

    @property
    def space(self) -> RowSpace:
        """The space of vectors of rows."""
        space = self.net.average.space  # type: ignore[union-attr]
        assert isinstance(space, RowSpace)
        return space

    def fit(self, data: Encoded, run: Run) -> Self:
        """Learn the table's transform, then train the network on its rows.

        Raises
        ------
        TrainingError
            The loss became infinite or not a number.
        UsageError
            The run's device is not available.
        """
        table = TableTransform.fit(data)
        self.table_values_, self.table_ = table.pack()
        self.__dict__.pop("table", None)
        self._facts = wanted(run.goals, "sample")
        fills_only = run.goals == {"impute"}
        self._told, self._blind = (1.0, FILLING_SHARE) if fills_only else (self.conditioned, BLIND_SHARE)
        updates = self.updates if self._facts else -(-self.updates // 3)
        self._most_epochs = max(1, updates // max(STEPS_PER_EPOCH, math.ceil(len(data) / self.batch_size)))
        super().fit(_rows(table, data, facts=self._facts), run)
        self.ratio_values_, self.ratio_ = np.zeros(0), None
        if self._facts and self.candidates:
            found = learned(data, partial(synthetic, self), np.random.default_rng(self.seed_))
            if found is not None:
                self.ratio_values_, self.ratio_ = found.pack()
        return self

    @property
    def ratio(self) -> Ratio | None:
        """How much more often rows are real than made, if that was learned; models of old files did not."""
        value = getattr(self, "ratio_", None)
        return Ratio.unpack(self.ratio_values_, value) if value else None

    def build(self, layout: Layout) -> nn.Module:
        """Return a new network and its moving average, for the layout of parts."""
        space = RowSpace(len(layout.numbers) // 2, [layout.blocks[position].size for position in layout.categories])
        net = Denoiser(space, self.width, self.hidden, self.blocks, self.waves, self.dropout)
        return Averaged(net, self.average)

    def phases(self, net: nn.Module) -> list[Phase]:
        """Return one stage over the weights of the network in training, of as many epochs as updates allow."""
        weights = list(net.online.parameters())  # type: ignore[union-attr]
        return [Phase("training", weights, min(self.epochs, self._most_epochs), lambda o: self.step(net, o))]

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
        told = torch.zeros(len(x), space.parts, device=x.device)
        if self._facts and space.sizes:
            row, column = drawn_by_code(x[:, 2 * space.width :].long(), n, torch.ones_like, self.table.label)
            x, observed = torch.cat([x[row], x[n:]]), torch.cat([observed[row], observed[n:]])
            told[torch.arange(n), space.width + column] = 1.0
        return self.denoising_loss(online, x, observed, told)

    def validation(self, net: nn.Module, x: Tensor, observed: Tensor) -> Tensor:
        """The loss of the averaged network, for some draws of noise: the same ones every time."""
        with seeded(self.seed_, x.device):
            losses = [self.denoising_loss(net.average, x, observed) for _ in range(JUDGEMENTS)]  # type: ignore[arg-type]
        return torch.stack(losses).mean()

    def denoising_loss(self, net: Denoiser, shares: Tensor, observed: Tensor, told: Tensor | None = None) -> Tensor:
        """Squared error of what is predicted of numbers, and surprise of codes in nats, for each unknown part.

        Parts that are `told` [n, parts] are known, and others at random.

        To sample, holes are facts to be learned, and the score of a number that has none is noise, which the network
        must know to be noise; otherwise neither counts.
        """
        space, n = net.space, len(shares)
        parts, observed = space.jittered(shares, observed)
        clean = space.vectors(parts)
        known = random_parts(observed, self._told)
        known = known if told is None else torch.maximum(known, told)
        blind = (known.sum(dim=1) > 0) & (torch.rand(n, device=parts.device) < self._blind)
        level = torch.where(blind, self.top(), self.levels(n, parts.device))
        noise = torch.randn_like(clean)
        signal, spread = self.scales(level[:, None])
        noisy = signal * clean + spread * noise
        output = self._output(net, noisy, level, clean, known)
        width = space.width
        aim = self.target(clean[:, :width], noise[:, :width], level[:, None])
        losses = torch.cat([(output[:, :width] - aim).square(), space.surprise(output[:, width:], parts)], dim=1)
        unknown = 1 - known if self._facts else (1 - known) * observed
        return (losses * unknown).sum() / unknown.sum().clamp(min=1)

    def _output(self, net: Denoiser, x: Tensor, level: Tensor, clean: Tensor, known: Tensor | None) -> Tensor:
        """Return the network's output for noisy rows at levels [n] or [1]; known parts are seen as they are."""
        signal, spread = self.scales(level[:, None])
        scaled = x * (signal.square() + spread.square()).rsqrt()
        if known is None:
            return net(scaled, self.feature(level))
        told = net.space.entries_of(known)
        return net(scaled * (1 - told), self.feature(level), clean * told, known)

    def denoised(self, x: Tensor, level: Tensor, clean: Tensor, known: Tensor | None) -> Tensor:
        """Return the expected clean rows [n, entries]; known entries are as given."""
        net: Any = self.net
        space, width = self.space, self.space.width
        output = self._output(net.average, x, level, clean, known)
        numbers = self.clean(output[:, :width], x[:, :width], level[:, None]).clamp_(-LARGEST_SCORE, LARGEST_SCORE)
        made = torch.cat([numbers, space.probabilities(output[:, width:])], dim=1)
        return made if known is None else torch.lerp(made, clean, space.entries_of(known))

    def sample(self, given: Encoded, run: Run) -> Encoded:
        """Return as many new rows as `given` has, whose observed cells are as given and the others drawn given them."""
        self.use(run.device)
        ratio = self.ratio if self.candidates else None
        if ratio is None:
            return synthetic(self, given, run.rng)
        return corrected(given, partial(synthetic, self), ratio, self.candidates, run.rng)

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        """Fill missing cells by their conditional expectation, categories by the most probable level.

        The network's expectation given the observed cells, in one denoising, with the spread that its error had for
        training rows of which any share was hidden. Draws are inpainted, all missing cells of a row together.
        """
        return joined([fills(self, rows, draws) for rows in self._some(data)])

    def score(self, data: Encoded) -> Scores:
        """Return the rows' strangeness, float64 [n]: how far the network moves them, next to training rows.

        References: Vincent (2011), A connection between score matching and denoising autoencoders, Neural Computation
        23; Livernoche et al. (2024), On diffusion modeling for anomaly detection, ICLR.
        """
        return np.concatenate([strangeness(self, rows) for rows in self._some(data)])

    def _some(self, data: Encoded) -> Iterator[Encoded]:
        """Yield the rows in chunks: what is known of a wide table's takes memory."""
        for start in range(0, max(len(data), 1), self.chunk):
            yield data.take(slice(start, start + self.chunk))

    def finish(self, data: Encoded, run: Run) -> None:
        """Take the spread of the network's errors over the training rows, for filling and scoring."""
        self.spread_ = filling_errors(self, data)
        self.usual_distances_ = usual_distances(self, data)

    def state(self) -> ModelState:
        """Return what was learned; of the network its average alone."""
        state = super().state()
        for name in [name for name in state.arrays if name.startswith("net.online.")]:
            del state.arrays[name]
        return state

    def restore(self, state: ModelState, create: Callable[..., Any] | None = None) -> Self:
        """Take back what `state` returned."""
        copies = {
            name.replace("net.average.", "net.online.", 1): array
            for name, array in state.arrays.items()
            if name.startswith("net.average.")
        }
        return super().restore(ModelState({**state.arrays, **copies}, state.values, state.models), create)


def _rows(table: TableTransform, data: Encoded, *, facts: bool) -> Encoded:
    """Return rows as the training loop takes them: the lower and the upper shares of numbers, then codes.

    A number without a score is not observed; nor is a hole, unless holes are facts that are to be learned.
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
        if column.code >= 0 and not facts:
            codes_known[:, column.code] = data.observed[:, column.position]
    known = [parts.known_numbers, parts.known_numbers, codes_known]
    return Encoded(values, np.concatenate(known, axis=1), Layout("table", values.shape[1:], (*numbers, *codes)))
