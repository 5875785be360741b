"""What a diffusion model of a table offers to sampling, imputation and scoring: its noise process and its denoiser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from anomalo.neural import AveragedNetwork, Denoise, NeuralModel
from anomalo.plugin import Encoded, Run, TableTransform
from anomalo_diffusion.network import DenoisingNetwork
from anomalo_diffusion.one_hot_space import OneHotSpace

LARGEST_SCORE = 4.0
"""Clean normal scores are held within this bound."""
NEARLY_PURE_NOISE = 5.0
"""At this ratio of noise to signal a row is nearly pure noise."""
SCORING_RATIOS = (0.5, 1.0, 2.0)
"""Ratios of noise to signal at which rows are scored."""
CHUNK_ENTRIES = 2**18
"""So many entries are sampled at a time, at most."""


@dataclass(kw_only=True)
class DenoisingModel(NeuralModel[AveragedNetwork[DenoisingNetwork]]):
    """A model whose network removes noise from a table's rows.

    A variant defines the noise (`draw_levels`, `scales`), what the network predicts (`target`, `clean`), and how to
    sample (`reverse`).
    """

    @property
    def chunk(self) -> int:
        """Rows handled at a time: fewer of wide tables."""
        return int(max(64, min(1024, CHUNK_ENTRIES // max(self.space.entries, 1))))

    def draw_levels(self, n: int, device: torch.device) -> Tensor:
        """Draw noise levels for training, [n]."""
        raise NotImplementedError

    def scales(self, level: Tensor) -> tuple[Tensor, Tensor]:
        """Return the signal's and the noise's standard deviation at noise levels [n, 1]."""
        raise NotImplementedError

    def level_feature(self, level: Tensor) -> Tensor:
        """Return noise levels [n] as the network sees them."""
        raise NotImplementedError

    def target(self, clean: Tensor, noise: Tensor, level: Tensor) -> Tensor:
        """Return what the network is to predict of numbers [n, width]."""
        raise NotImplementedError

    def clean(self, output: Tensor, x: Tensor, level: Tensor) -> Tensor:
        """Return the clean numbers [n, width] that such a prediction of noisy ones means."""
        raise NotImplementedError

    def pure_noise_level(self) -> float:
        """Return a noise level so high that a row is nearly pure noise."""
        raise NotImplementedError

    def scoring_levels(self) -> tuple[float, ...]:
        """Return the noise levels at which rows are scored."""
        raise NotImplementedError

    def reverse(self, denoise: Denoise, noise: Callable[[], Tensor], *, deterministic: bool = False) -> Tensor:
        """Return rows from noise, drawn only once if `deterministic`; of codes their probabilities."""
        raise NotImplementedError

    def begin(self, data: Encoded, run: Run) -> None:
        """Learn how the table's rows become parts, and build the network for those.

        Raises
        ------
        UsageError
            `run.initial` is not a model that this one can start from.
        """
        vars(self).pop("table", None)
        self.table_values_, self.table_ = TableTransform.fit(data).pack()
        super().begin(data, run)

    @cached_property
    def table(self) -> TableTransform:
        """From encoded rows to parts and back."""
        return TableTransform.unpack(self.table_values_, self.table_)

    @property
    def space(self) -> OneHotSpace:
        """The space of vectors of rows."""
        return self.net.average.space

    def output(self, net: DenoisingNetwork, x: Tensor, level: Tensor, clean: Tensor, known: Tensor | None) -> Tensor:
        """Return the network's output for noisy rows at levels [n] or [1]; known parts are seen as they are."""
        signal, noise = self.scales(level[:, None])
        scaled = x * (signal.square() + noise.square()).rsqrt()
        if known is None:
            output: Tensor = net(scaled, self.level_feature(level))
        else:
            given = net.space.parts_to_entries(known)
            output = net(scaled * (1 - given), self.level_feature(level), clean * given, known)
        return output

    def denoised(self, x: Tensor, level: Tensor, clean: Tensor, known: Tensor | None) -> Tensor:
        """Return the expected clean rows [n, entries]; known entries are as given."""
        space, width = self.space, self.space.width
        output = self.output(self.net.average, x, level, clean, known)
        numbers = self.clean(output[:, :width], x[:, :width], level[:, None]).clamp_(-LARGEST_SCORE, LARGEST_SCORE)
        rows = torch.cat([numbers, space.probabilities(output[:, width:])], dim=1)
        return rows if known is None else torch.lerp(rows, clean, space.parts_to_entries(known))
